import type { Schema } from './described.ts'

/** What a description holds, as far as a client of another version can tell the difference. */
export interface ApiDescription {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface ApiOperation {
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: ApiContent & { readonly 'x-bytes-max'?: number }
  readonly responses: Readonly<Record<string, ApiContent>>
  readonly 'x-needs'?: readonly string[]
}

interface ApiParameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: Schema
}

interface ApiContent {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
  readonly headers?: Readonly<Record<string, unknown>>
}

/** Why a client that was made for `before` could fail with `now`; nothing when it cannot. */
export function incompatibilities(before: ApiDescription, now: ApiDescription): readonly string[] {
  const compare = new Comparison(before, now)
  for (const [path, methods] of Object.entries(before.paths))
    for (const [method, operation] of Object.entries(methods))
      compare.operation(`${method.toUpperCase()} ${path}`, operation, now.paths[path]?.[method])
  return compare.found
}

class Comparison {
  readonly found: string[] = []
  readonly #before: ApiDescription
  readonly #now: ApiDescription

  constructor(before: ApiDescription, now: ApiDescription) {
    this.#before = before
    this.#now = now
  }

  operation(at: string, before: ApiOperation, now: ApiOperation | undefined): void {
    if (now === undefined) return this.#report(at, 'is gone')
    // Whoever was let in still is.
    const needs = now['x-needs'] ?? []
    for (const need of before['x-needs'] ?? [])
      if (!needs.includes(need)) this.#report(at, `does not let in whoever has \`${need}\``)
    this.#parameters(at, before.parameters ?? [], now.parameters ?? [])
    this.#body(at, before.requestBody, now.requestBody)
    // What is refused is told by a code, whatever its status.
    for (const [status, answer] of Object.entries(before.responses))
      if (Number(status) < 300) this.#answer(`${at} ${status}`, answer, now.responses[status])
  }

  #parameters(at: string, before: readonly ApiParameter[], now: readonly ApiParameter[]): void {
    const same = (one: ApiParameter) => (other: ApiParameter) =>
      one.name === other.name && one.in === other.in
    for (const parameter of now)
      if (parameter.required && before.find(same(parameter))?.required !== true)
        this.#report(at, `needs the ${parameter.in} parameter ${parameter.name}`)
    for (const parameter of before) {
      const place = `${at} ${parameter.name}`
      const other = now.find(same(parameter))
      if (other === undefined) this.#report(place, 'is not taken any more')
      else this.#mustTake(place, parameter.schema, other.schema)
    }
  }

  #body(at: string, before: ApiOperation['requestBody'], now: ApiOperation['requestBody']): void {
    if (before === undefined) {
      if (now !== undefined) this.#report(at, 'needs a body')
      return
    }
    for (const [media, { schema }] of Object.entries(before.content ?? {})) {
      const other = now?.content?.[media]
      if (other === undefined) this.#report(`${at} ${media}`, 'is not taken any more')
      else this.#mustTake(`${at} body`, schema, other.schema)
    }
    const [max, maxNow] = [before['x-bytes-max'] ?? 0, now?.['x-bytes-max'] ?? Infinity]
    if (maxNow < max) this.#report(at, `takes ${String(maxNow)} bytes only, not ${String(max)}`)
  }

  #answer(at: string, before: ApiContent, now: ApiContent | undefined): void {
    if (now === undefined) return this.#report(at, 'is not answered any more')
    for (const name of Object.keys(before.headers ?? {}))
      if (now.headers?.[name] === undefined) this.#report(`${at} ${name}`, 'is not given any more')
    for (const [media, { schema }] of Object.entries(before.content ?? {})) {
      const other = now.content?.[media]
      if (other === undefined) this.#report(`${at} ${media}`, 'is not given any more')
      else this.#mustGive(`${at} answer`, schema, other.schema)
    }
  }

  /** All that one could send before has to be taken now. */
  #mustTake(at: string, before: Schema, now: Schema): void {
    const [one, other] = [resolved(before, this.#before), resolved(now, this.#now)]
    if (isAnything(other)) return
    if (one.oneOf) {
      for (const kind of one.oneOf)
        if (!choicesOf(other).some((choice) => this.#isFine(() => this.#mustTake(at, kind, choice))))
          this.#report(at, `does not take ${nameOf(kind)}`)
      return
    }
    if (other.oneOf) {
      if (!other.oneOf.some((choice) => this.#isFine(() => this.#mustTake(at, one, choice))))
        this.#report(at, `does not take ${nameOf(one)}`)
      return
    }
    if (one.type !== other.type) this.#report(at, `is ${String(other.type)}, was ${String(one.type)}`)
    const values = valuesOf(other)
    for (const value of valuesOf(one) ?? [])
      if (values?.includes(value) === false) this.#report(at, `does not take ${JSON.stringify(value)}`)
    if (values !== undefined && valuesOf(one) === undefined) this.#report(at, 'takes certain values only')
    if (other.pattern !== undefined && other.pattern !== one.pattern)
      this.#report(at, `has to match ${other.pattern}`)
    for (const limit of ['minimum', 'minLength', 'minItems'] as const)
      if ((other[limit] ?? -Infinity) > (one[limit] ?? -Infinity)) this.#report(at, `has another ${limit}`)
    for (const limit of ['maximum', 'maxLength', 'maxItems'] as const)
      if ((other[limit] ?? Infinity) < (one[limit] ?? mostOf(one))) this.#report(at, `has another ${limit}`)
    for (const name of other.required ?? [])
      if (!one.required?.includes(name)) this.#report(at, `needs the field ${name}`)
    for (const [name, field] of Object.entries(one.properties ?? {})) {
      const field2 = other.properties?.[name]
      if (field2 === undefined) this.#report(`${at}.${name}`, 'is not taken any more')
      else this.#mustTake(`${at}.${name}`, field, field2)
    }
    if (one.items && other.items) this.#mustTake(`${at}[]`, one.items, other.items)
  }

  /** What is given now has to have all that one could count on; more kinds, values and fields are passed over. */
  #mustGive(at: string, before: Schema, now: Schema): void {
    const [one, other] = [resolved(before, this.#before), resolved(now, this.#now)]
    if (isAnything(one)) return
    if (one.oneOf) {
      for (const kind of one.oneOf)
        if (!choicesOf(other).some((choice) => this.#isFine(() => this.#mustGive(at, kind, choice))))
          this.#report(at, `does not give ${nameOf(kind)}`)
      return
    }
    if (one.type !== other.type) this.#report(at, `is ${String(other.type)}, was ${String(one.type)}`)
    if (one.pattern !== other.pattern) this.#report(at, 'is written in another way')
    if (one.const !== undefined && one.const !== other.const)
      this.#report(at, `is not ${JSON.stringify(one.const)}`)
    for (const name of one.required ?? [])
      if (!other.required?.includes(name)) this.#report(`${at}.${name}`, 'may be missing')
    for (const [name, field] of Object.entries(one.properties ?? {})) {
      const field2 = other.properties?.[name]
      if (field2 === undefined) this.#report(`${at}.${name}`, 'is not given any more')
      else this.#mustGive(`${at}.${name}`, field, field2)
    }
    if (one.items && other.items) this.#mustGive(`${at}[]`, one.items, other.items)
  }

  /** Whether a comparison finds nothing; what it finds is forgotten. */
  #isFine(compare: () => void): boolean {
    const count = this.found.length
    compare()
    return this.found.splice(count).length === 0
  }

  #report(at: string, what: string): void {
    this.found.push(`${at} ${what}`)
  }
}

/** The keywords that the edge describes itself with. */
interface Keywords extends Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
}
const known = new Set(
  'type const enum oneOf properties required items pattern minimum maximum minLength maxLength minItems maxItems description format'.split(
    ' ',
  ),
)

function resolved(schema: Schema, { components }: ApiDescription): Keywords {
  const name = schema['$ref']
  if (typeof name === 'string') {
    const target = components.schemas[name.slice(name.lastIndexOf('/') + 1)]
    if (target === undefined) throw new Error(`the description has no ${name}`)
    return resolved(target, { paths: {}, components })
  }
  for (const keyword of Object.keys(schema))
    if (!known.has(keyword)) throw new Error(`teach this comparison what \`${keyword}\` means`)
  return schema
}

function isAnything(schema: Keywords): boolean {
  return Object.keys(schema).every((keyword) => keyword === 'description')
}

function choicesOf(schema: Keywords): readonly Schema[] {
  return schema.oneOf ?? [schema]
}

/** The only values that there are. */
function valuesOf(schema: Keywords): readonly unknown[] | undefined {
  return schema.const === undefined ? schema.enum : [schema.const]
}

/** No client has larger whole numbers. */
function mostOf({ type }: Keywords): number {
  return type === 'integer' ? Number.MAX_SAFE_INTEGER : Infinity
}

function nameOf(schema: Schema): string {
  const { properties = {} }: Keywords = schema
  const consts = Object.entries(properties).filter(([, field]) => 'const' in field)
  return consts.map(([name, field]) => `${name}: ${JSON.stringify(field['const'])}`).join(', ') || 'one kind'
}
