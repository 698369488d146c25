import { WaystoneError } from '../errors.ts'
import type { Json } from '../json.ts'
import { sameValue } from '../state/equal.ts'
import { fingerprint } from '../state/fingerprint.ts'
import { isList, isObject, put } from '../state/value.ts'
import { weigh } from '../state/weigh.ts'
import type { TurnRecord } from './fold.ts'

// A commit that stores what a step of its turn returned would repeat what the step's entry holds already. Its delta names
// that instead, in the stored form, where a tag cannot be taken for a value:
//
// - `{"$":"step","v":[path, ...keys]}`: what the record at a path gave, or a part of it;
// - `{"$":"step","v":[path, ...keys],"at":[from, to]}`: some units of a text;
// - `{"$":"joined","v":[...]}`: texts one after the other, some of which are such places.

/** About the characters from which on naming is shorter than repeating. */
const nameCharsMin = 256
/** How deep in what a record gave its parts are looked for, and how many of them. */
const levelsMax = 3
const partsMax = 10_000
/** Long texts that are looked for inside of others, and texts of a delta in which, or which in them. */
const textsMax = 64
/** Lists or objects with one fingerprint that are compared. */
const triesMax = 8

/** A delta in which what records of the open turn gave is named. Costs nothing when little is put. */
export function nameResults(delta: Json, records: readonly TurnRecord[]): Json {
  let given: Given | undefined
  let looks = textsMax
  return mapPuts(delta, (part) => {
    if (weigh(part, nameCharsMin) < nameCharsMin) return part
    given ??= givenBy(records)
    if (typeof part !== 'string') return nameObject(part, given)
    return nameText(part, given.texts, looks-- > 0)
  })
}

/** The inverse of `nameResults`. Throws `delta_refused` when the records do not have what is named. */
export function resolveResults(delta: Json, records: readonly TurnRecord[]): Json {
  const resolve = (part: Json): Json | undefined => {
    const { $: tag, v, at } = (isObject(part) ? part : {}) as Readonly<Record<string, Json | undefined>>
    if (tag === 'joined' && isList(v)) return v.map((text) => String(resolve(text as Json) ?? text)).join('')
    if (tag !== 'step' || !isList(v)) return undefined
    const found = partOf(v as readonly Json[], records)
    if (at === undefined) return found
    const [from, to] = at as readonly number[]
    return String(found).slice(from, to)
  }
  return mapPuts(delta, resolve)
}

/** What the records of a turn gave, by its texts and by the fingerprints of its lists and objects. */
interface Given {
  readonly texts: ReadonlyMap<string, Path>
  readonly objects: ReadonlyMap<number, readonly { readonly value: Json; readonly path: Path }[]>
}
/** The path of a record, then keys of what it gave. */
type Path = readonly (string | number)[]

function givenBy(records: readonly TurnRecord[]): Given {
  const texts = new Map<string, Path>()
  const objects = new Map<number, { readonly value: Json; readonly path: Path }[]>()
  let left = partsMax
  const add = (value: Json, path: Path): void => {
    if (left-- <= 0 || weigh(value, nameCharsMin) < nameCharsMin) return
    if (typeof value === 'string') {
      if (!texts.has(value)) texts.set(value, path)
      return
    }
    const key = fingerprint(value)
    const alike = objects.get(key)
    if (alike) alike.push({ value, path })
    else objects.set(key, [{ value, path }])
    if (path.length > levelsMax) return
    for (const [name, part] of isList(value) ? value.entries() : Object.entries(value as object))
      add(part as Json, [...path, name])
  }
  for (const record of records) {
    const value = valueOf(record)
    if (value !== undefined && 'path' in record.body) add(value, [record.body.path])
  }
  return { texts, objects }
}

function nameObject(part: Json, { objects }: Given): Json | undefined {
  const alike = objects.get(fingerprint(part))?.slice(0, triesMax)
  const found = alike?.find(({ value }) => sameValue(value, part))
  return found && { $: 'step', v: found.path }
}

/** With `inside` also texts that are part of another, and those that hold another. */
function nameText(text: string, texts: Given['texts'], inside: boolean): Json {
  const known = texts.get(text)
  if (known) return { $: 'step', v: known }
  for (const [whole, path] of inside ? [...texts].slice(0, textsMax) : []) {
    const from = whole.indexOf(text)
    if (from >= 0) return { $: 'step', v: path, at: [from, from + text.length] }
    const start = text.indexOf(whole)
    if (start < 0) continue
    const [before, after] = [text.slice(0, start), text.slice(start + whole.length)].map((rest) =>
      rest.length < nameCharsMin ? rest : nameText(rest, texts, true),
    ) as [Json, Json]
    return { $: 'joined', v: [before, { $: 'step', v: path }, after] }
  }
  return text
}

/** What a record gave its call, in encoded form. */
function valueOf({ kind, body }: TurnRecord): Json | undefined {
  switch (kind) {
    case 'step':
    case 'once':
    case 'join':
      return 'value' in body.outcome ? body.outcome.value : undefined
    case 'receive':
      return body.value
    case 'answer':
      return body.answer.status === 'answered' ? body.answer.value : undefined
    case 'drain':
      return body.items.map(({ value }) => value)
    default:
      return undefined
  }
}

function partOf([path, ...keys]: readonly Json[], records: readonly TurnRecord[]): Json {
  const record = records.find(
    (one) => valueOf(one) !== undefined && 'path' in one.body && one.body.path === path,
  )
  let part: unknown = record && valueOf(record)
  for (const key of keys)
    part =
      isObject(part) && Object.hasOwn(part, String(key))
        ? (part as Record<string, unknown>)[String(key)]
        : undefined
  if (part !== undefined) return part as Json
  const at = JSON.stringify([path, ...keys])
  throw new WaystoneError('delta_refused', `a delta names what no record of its turn gave: ${at}`, {
    details: { path, expected: 'a record', found: 'none' },
  })
}

/** A delta with what its changes put replaced, as `mapPart` does it. */
function mapPuts(delta: Json, replace: (part: Json) => Json | undefined): Json {
  if (!isList(delta)) return delta
  return delta.map((op) => {
    if (!isList(op)) return op as Json
    const [kind, path, ...rest] = op as readonly Json[]
    return [kind, path, ...rest.map((part) => mapPart(part, replace))] as readonly Json[]
  })
}

/** JSON in which whatever `replace` gives, other than undefined, stands for a part; parts that stay are shared. */
function mapPart(json: Json, replace: (part: Json) => Json | undefined): Json {
  if (!isObject(json) && typeof json !== 'string') return json
  const replaced = replace(json)
  if (replaced !== undefined || !isObject(json)) return replaced ?? json
  if (isList(json)) {
    const items = json as readonly Json[]
    const mapped = items.map((item) => mapPart(item, replace))
    return mapped.every((item, i) => item === items[i]) ? json : mapped
  }
  let out: object = json
  for (const [key, part] of Object.entries(json)) {
    const mapped = mapPart(part as Json, replace)
    if (mapped === part) continue
    if (out === json) out = { ...json }
    put(out, key, mapped)
  }
  return out as Json
}
