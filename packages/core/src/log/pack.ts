import { assert, WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { limits } from '../limits.ts'
import type { ReadBlobs } from '../ports/blobs.ts'
import { encodeAt, type Value } from '../state/codec.ts'
import { digestBytes, fromUtf8, utf8 } from '../state/digest.ts'
import { isList, isObject, kindOf, put } from '../state/value.ts'
import { weigh } from '../state/weigh.ts'

/**
 * Large values are stored in chunks by their hash, cut along their structure: what did not change since the last time
 * is in chunks that are there already. Where a chunk was cut out its packed form has a tag, which no encoded value has:
 *
 * - `{"$":"chunk","v":hash}`: what the chunk holds;
 * - `{"$":"items","v":[hash, ...]}`, `{"$":"fields","v":[...]}`, `{"$":"text","v":[...]}`: a list, an object or a text, whose
 *   parts follow each other in the chunks.
 * - `{"$":"plain","v":[[name, value], ...]}`: an object of JSON that is no encoded value, and looks like one of these.
 *
 * Lists and texts are cut where their content says, not at positions, so that an insertion moves no other cut.
 */
export interface Chunk {
  readonly hash: Digest
  /** JSON in UTF-8; absent for a chunk that was yielded with its bytes when its value was packed before. */
  readonly bytes?: Uint8Array
}

/** A packed value as JSON text; its chunks were yielded before. */
type Packing = Generator<Chunk, string>

/** What a chunk has about, in characters: even with its last item it is a row, and a record, of less than 64 KiB. */
export const chunkChars = 24_000

/** Levels of a state that are walked piece by piece; what is deeper is encoded in one go. */
const walkedLevels = 3

/** What became of values that were packed before, as long as somebody holds them. They must never change. */
export type PackCache = WeakMap<
  object,
  { readonly size: number; readonly text: string; readonly chunks: readonly Digest[] }
>

/** Makes of the bytes of a chunk those that are stored and that its hash is of. The same for the same bytes. */
export type Seal = (bytes: Uint8Array) => Uint8Array

const unsealed: Seal = (bytes) => bytes

/** A part of a document: a value that is not encoded yet, or JSON. */
export type Part = { readonly value: Value } | { readonly json: Json }

/**
 * Packs the parts of a document: its chunks, then its packed form, which is JSON of about half a chunk at most. `size` is
 * what a chunk has about, in characters. `cache` makes what did not change since cheap.
 */
export function* pack(
  document: Readonly<Record<string, Part>>,
  size: number = chunkChars,
  cache: PackCache = new WeakMap(),
  seal: Seal = unsealed,
): Generator<Chunk, Json> {
  const how = { size, cache, seal }
  const fields: [string, string][] = []
  for (const [name, part] of Object.entries(document)) {
    const packing = 'json' in part ? packWhole(escaped(part.json), how) : packLevel(part.value, 0, how)
    fields.push([name, yield* packing])
  }
  return JSON.parse(yield* joinFields(fields, how)) as Json
}

/** JSON of others may have what looks like a tag of ours: an error, a message that came from outside. */
function escaped(json: Json): Json {
  if (!isObject(json)) return json
  if (isList(json)) {
    const items = json as readonly Json[]
    const out = items.map(escaped)
    return out.every((item, index) => item === items[index]) ? json : out
  }
  const fields = Object.entries(json).map(([name, value]) => [name, escaped(value as Json)] as const)
  if (tags.has(String((json as { readonly $?: unknown }).$))) return { $: 'plain', v: fields }
  if (fields.every(([name, value]) => value === (json as Record<string, Json>)[name])) return json
  const out = {}
  for (const [name, value] of fields) put(out, name, value)
  return out
}

const tags: ReadonlySet<string> = new Set(['chunk', 'items', 'fields', 'text', 'plain'])

/** What was packed, and what it needs. */
export interface Packed {
  readonly json: Json
  readonly chunks: readonly Digest[]
  readonly chars: number
  /** All of it, chunks included. */
  readonly bytes: number
}

/** Packs with chunks so large that one entry can name them all, `chars` at least. A chunk may be yielded more than once. */
export function* packForEntry(
  pack: (chars: number) => Generator<Chunk, Json>,
  chars: number = chunkChars,
): Generator<Chunk, Packed> {
  for (; ; chars *= 2) {
    const chunks = new Set<Digest>()
    let bytes = 0
    const packing = pack(chars)
    for (let next = packing.next(); chunks.size <= limits.entryBlobsMax; next = packing.next()) {
      if (next.done) {
        bytes += JSON.stringify(next.value).length
        return { json: next.value, chunks: [...chunks], chars, bytes }
      }
      if (!chunks.has(next.value.hash)) bytes += next.value.bytes?.byteLength ?? chars
      chunks.add(next.value.hash)
      yield next.value
    }
  }
}

/** The hashes of the chunks that packed JSON names itself; chunks may name others. */
export function chunksIn(json: Json): readonly Digest[] {
  const found: Digest[] = []
  visit(json)
  return found
  function visit(node: Json): void {
    if (!isObject(node)) return
    const hashes = isList(node) ? undefined : hashesOf(node)
    if (hashes) found.push(...hashes)
    else for (const item of Object.values(node as Record<string, Json>)) visit(item)
  }
}

/**
 * The JSON that was packed. Fetches the chunks it needs, several at once, and checks their hashes. Rejects with
 * `blob_missing` naming those that are not there, `log_damaged` for one that has other bytes. `open`: the inverse of `seal`.
 */
export async function unpack(json: Json, run: RunId, blobs: ReadBlobs, open: Seal = unsealed): Promise<Json> {
  const outer = chunksIn(json)
  const chunks = new Map<Digest, Fetched>()
  for (let wanted = outer; wanted.length > 0;) {
    const fresh = [...new Set(wanted)].filter((hash) => !chunks.has(hash))
    const inner: Digest[] = []
    for (let at = 0; at < fresh.length; at += fetchedAtOnce) {
      const hashes = fresh.slice(at, at + fetchedAtOnce)
      const found = await Promise.all(hashes.map((hash) => readBlob(hash, run, blobs)))
      for (const [index, bytes] of found.entries()) {
        const text = fromUtf8(open(bytes))
        const chunk = JSON.parse(text) as Json
        const named = chunksIn(chunk)
        chunks.set(hashes[index] as Digest, { json: chunk, chars: text.length, named })
        inner.push(...named)
      }
    }
    wanted = inner
  }
  if (chunks.size === 0) return json
  checkUnpacked(run, outer, chunks)
  return join(json, chunks)
}

/** A chunk that was fetched: what it holds, and what it names. */
interface Fetched {
  readonly json: Json
  /** Of its text, in UTF-16 units. */
  readonly chars: number
  readonly named: readonly Digest[]
}

/** Chunks may name others more than once: a few that do become more than any memory holds. Throws `log_damaged` beforehand. */
function checkUnpacked(run: RunId, outer: readonly Digest[], chunks: ReadonlyMap<Digest, Fetched>): void {
  const known = new Map<Digest, number>()
  const unpacked = (hash: Digest): number => {
    const before = known.get(hash)
    if (before !== undefined) return before
    const { chars, named } = fetched(hash, chunks)
    const all = chars + sumOf(named)
    known.set(hash, all)
    return all
  }
  const sumOf = (hashes: readonly Digest[]): number => hashes.reduce((sum, hash) => sum + unpacked(hash), 0)
  const chars = sumOf(outer)
  if (chars <= limits.unpackedCharsMax) return
  throw new WaystoneError(
    'log_damaged',
    `the chunks of an entry of run ${run} hold ${String(chars)} characters, and no entry has more than ${String(limits.unpackedCharsMax)}`,
    { run },
  )
}

const fetchedAtOnce = 64

/** The bytes of a blob, checked. Rejects with `blob_missing`, `log_damaged`. */
export async function readBlob(hash: Digest, run: RunId, blobs: ReadBlobs): Promise<Uint8Array> {
  const bytes = await blobs.get(run, hash)
  if (bytes === undefined) {
    throw new WaystoneError('blob_missing', `run ${run} needs blob ${hash}, which is not here`, {
      run,
      details: { hashes: [hash] },
      actions: ['reload'],
    })
  }
  checkBlob(bytes, hash, run, blobs)
  return bytes
}

/** Throws `log_damaged` for bytes that are not those of a hash, unless that is known. */
export function checkBlob(
  bytes: Uint8Array,
  hash: Digest,
  run: RunId,
  { checked }: Pick<ReadBlobs, 'checked'>,
): void {
  if (checked !== true && digestBytes(bytes) !== hash) throw otherBytes(hash, run)
}

/** The error for a blob that does not have the bytes its name says. */
export function otherBytes(hash: Digest, run: RunId): WaystoneError {
  return new WaystoneError(
    'log_damaged',
    `blob ${hash} of run ${run} does not have the bytes its name says`,
    { run, details: { hashes: [hash] } },
  )
}

interface How {
  readonly size: number
  readonly cache: PackCache
  readonly seal: Seal
}

function* packLevel(value: Value, level: number, how: How): Packing {
  if (!isObject(value) || level >= walkedLevels) return yield* packWhole(encodeAt(value, level), how)
  const known = how.cache.get(value)
  if (known?.size === how.size) {
    for (const hash of known.chunks) yield { hash }
    return known.text
  }
  const chunks: Digest[] = []
  const packing = packContainer(value, level, how)
  for (;;) {
    const { done, value: given } = packing.next()
    if (done) {
      if (chunks.length > 0) how.cache.set(value, { size: how.size, text: given, chunks })
      return given
    }
    chunks.push(given.hash)
    yield given
  }
}

function* packContainer(value: object & Value, level: number, how: How): Packing {
  const packItem = (item: Value): Packing => packLevel(item, level + 1, how)
  switch (kindOf(value)) {
    case 'array': {
      const items = value as readonly Value[]
      // `findIndex` visits holes, too.
      if (items.findIndex((item, index) => item === undefined && !(index in items)) >= 0) break
      return yield* packItems(items, packItem, how)
    }
    case 'set':
      return tagged('set', yield* packItems(value as ReadonlySet<Value>, packItem, how))
    case 'map': {
      const packPair = function* ([key, held]: readonly [Value, Value]): Packing {
        const first = yield* packItem(key)
        return `[${first},${yield* packItem(held)}]`
      }
      return tagged('map', yield* packItems(value as ReadonlyMap<Value, Value>, packPair, how))
    }
    case 'object': {
      const fields: [string, string][] = []
      for (const [key, held] of Object.entries(value as Record<string, Value>)) {
        // Names of `$` signs get the one more that the codec gives them.
        fields.push([/^\$+$/.test(key) ? `$${key}` : key, yield* packItem(held)])
      }
      return yield* joinFields(fields, how)
    }
    default:
  }
  return yield* packWhole(encodeAt(value, level), how)
}

function* packWhole(json: Json, how: How): Packing {
  const { size } = how
  // Weighed before it is written: what is nested deeply would be written once for each level.
  const text = weigh(json, size / 2) <= size / 2 ? JSON.stringify(json) : undefined
  if (text !== undefined && text.length <= size / 2) return text
  if (!(typeof json === 'string' || isObject(json))) return JSON.stringify(json)
  if (typeof json === 'string') return yield* packText(json, how)
  if (isList(json)) return yield* packItems(json as readonly Json[], (item) => packWhole(item, how), how)
  const fields: [string, string][] = []
  // Left out as JSON does: a record that a fork has carried along says of no owner that it is his.
  for (const [key, value] of Object.entries(json))
    if (value !== undefined) fields.push([key, yield* packWhole(value as Json, how)])
  return yield* joinFields(fields, how)
}

function* packItems<T>(items: Iterable<T>, packItem: (item: T) => Packing, how: How): Packing {
  const groups = new Groups(how.size)
  for (const item of items) {
    const text = yield* packItem(item)
    const full = groups.add(text)
    if (full) yield chunkOf(`[${full}]`, groups.hashes, how)
  }
  if (groups.hashes.length === 0 && groups.isSmall) return `[${groups.rest}]`
  return yield* last('items', '[', ']', groups, how)
}

function* joinFields(fields: readonly [string, string][], how: How): Packing {
  const { size } = how
  let total = fields.reduce((sum, [key, text]) => sum + key.length + text.length + 4, 0)
  const cut = new Map<string, string>()
  // What is large by itself first: then a small change elsewhere does not touch it.
  for (const [key, text] of fields) {
    if (total <= size / 2 || text.length < size / 8) continue
    const hashes: Digest[] = []
    yield chunkOf(text, hashes, how)
    const ref = `{"$":"chunk","v":"${String(hashes[0])}"}`
    cut.set(key, ref)
    total += ref.length - text.length
  }
  const texts = fields.map(([key, text]) => `${JSON.stringify(key)}:${cut.get(key) ?? text}`)
  if (total <= size / 2) return `{${texts.join(',')}}`
  const groups = new Groups(size)
  for (const text of texts) {
    const full = groups.add(text)
    if (full) yield chunkOf(`{${full}}`, groups.hashes, how)
  }
  return yield* last('fields', '{', '}', groups, how)
}

function* packText(text: string, how: How): Packing {
  const hashes: Digest[] = []
  for (let from = 0; from < text.length;) {
    const to = textCut(text, from, how.size)
    yield chunkOf(JSON.stringify(text.slice(from, to)), hashes, how)
    from = to
  }
  return tagged('text', JSON.stringify(hashes))
}

function* last(tag: 'items' | 'fields', open: string, close: string, groups: Groups, how: How): Packing {
  if (groups.rest !== '') yield chunkOf(open + groups.rest + close, groups.hashes, how)
  return tagged(tag, JSON.stringify(groups.hashes))
}

/** Items as texts, gathered until their content says that a group ends. */
class Groups {
  readonly hashes: Digest[] = []
  readonly #size: number
  #texts: string[] = []
  #length = 0

  constructor(size: number) {
    this.#size = size
  }

  /** What is gathered and in no chunk yet. */
  get rest(): string {
    return this.#texts.join(',')
  }

  get isSmall(): boolean {
    return this.#length <= this.#size / 2
  }

  /** Adds an item; the group that it ends, if it does. */
  add(text: string): string | undefined {
    this.#texts.push(text)
    this.#length += text.length + 1
    // A cut falls on about one item in so many as fill a chunk, whatever stands before it.
    const odds = Math.max(1, Math.round(this.#size / (text.length + 1)))
    const ends = this.#length >= this.#size / 4 && hashOf(text) % odds === 0
    if (!ends && this.#length < this.#size * 2) return undefined
    const group = this.rest
    this.#texts = []
    this.#length = 0
    return group
  }
}

/** A cheap hash of a text by its length and up to 64 of its characters (FNV-1a). */
function hashOf(text: string): number {
  let hash = Math.imul(0x811c9dc5 ^ text.length, 0x01000193)
  const step = Math.max(1, text.length >> 6)
  for (let at = 0; at < text.length; at += step) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  // The low bits of FNV are weak, and the remainder is taken of them.
  return (hash ^ (hash >>> 15)) >>> 0
}

/** Where the next chunk of a text ends: at a place that the characters before it choose (gear hash). */
function textCut(text: string, from: number, size: number): number {
  const most = Math.min(text.length, from + size * 2)
  const mask = 2 ** Math.round(Math.log2(size)) - 1
  let hash = 0
  for (let at = from; at < most; at += 1) {
    hash = ((hash << 1) + scattered(text.charCodeAt(at))) | 0
    if (at - from > size / 4 && ((hash >>> 4) & mask) === 0) return at + 1
  }
  return most
}

/** A number that has nothing in common with those of neighbours (the finalizer of MurmurHash3). */
function scattered(unit: number): number {
  let hash = Math.imul(unit + 1, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function chunkOf(text: string, hashes: Digest[], { seal }: How): Chunk {
  const bytes = seal(utf8(text))
  const hash = digestBytes(bytes) as Digest
  hashes.push(hash)
  return { hash, bytes }
}

function tagged(tag: string, text: string): string {
  return `{"$":"${tag}","v":${text}}`
}

/** The hashes that a tag names; undefined for anything else. */
function hashesOf(node: object): readonly Digest[] | undefined {
  const { $: tag, v } = node as { readonly $?: unknown; readonly v?: unknown }
  if (tag === 'chunk' && typeof v === 'string') return [v as Digest]
  return (tag === 'items' || tag === 'fields' || tag === 'text') && isList(v)
    ? (v as readonly Digest[])
    : undefined
}

function fetched(hash: Digest, chunks: ReadonlyMap<Digest, Fetched>): Fetched {
  const chunk = chunks.get(hash)
  assert(chunk !== undefined, 'a chunk was not fetched')
  return chunk
}

function join(node: Json, chunks: ReadonlyMap<Digest, Fetched>): Json {
  if (!isObject(node)) return node
  if (isList(node)) return (node as readonly Json[]).map((item) => join(item, chunks))
  const hashes = hashesOf(node)
  if (hashes === undefined) {
    const { $: tag, v } = node as { readonly $?: unknown; readonly v?: unknown }
    const fields = tag === 'plain' ? (v as readonly (readonly [string, Json])[]) : Object.entries(node)
    const out = {}
    for (const [key, value] of fields) put(out, key, join(value as Json, chunks))
    return out
  }
  const parts = hashes.map((hash) => join(fetched(hash, chunks).json, chunks))
  switch ((node as { readonly $: unknown }).$) {
    case 'chunk':
      return parts[0] as Json
    case 'text':
      return parts.join('')
    case 'items':
      return parts.flat()
    default: {
      const out = {}
      for (const part of parts)
        for (const [key, value] of Object.entries(part as object)) put(out, key, value)
      return out
    }
  }
}
