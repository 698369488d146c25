import fc from 'fast-check'
import type { Schema } from './described.ts'

/** Values that a schema of the description allows. `schemas` is what `$ref` names. */
export function valuesOf(schema: Schema, schemas: Readonly<Record<string, Schema>>): fc.Arbitrary<unknown> {
  const inner = (one: unknown): fc.Arbitrary<unknown> => valuesOf(one as Schema, schemas)
  if (typeof schema['$ref'] === 'string') return inner(schemas[schema['$ref'].split('/').at(-1) ?? ''])
  if ('const' in schema) return fc.constant(schema['const'])
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]))
  if (Array.isArray(schema['oneOf'])) return fc.oneof(...schema['oneOf'].map(inner))
  switch (schema['type']) {
    case 'object': {
      const properties = schema['properties'] as Readonly<Record<string, Schema>>
      const requiredKeys = schema['required'] as string[]
      const fields = Object.entries(properties).map(([name, one]) => [name, inner(one)] as const)
      return fc.record(Object.fromEntries(fields), { requiredKeys })
    }
    case 'array':
      return fc.array(inner(schema['items']), { maxLength: 5 })
    case 'string':
      if (typeof schema['pattern'] === 'string') return fc.stringMatching(new RegExp(schema['pattern']))
      return fc.string({
        minLength: Number(schema['minLength'] ?? 0),
        maxLength: Number(schema['maxLength'] ?? 50),
      })
    case 'integer':
      return fc.integer({
        min: Number(schema['minimum'] ?? 0),
        max: Math.min(Number(schema['maximum'] ?? 1e9), 2 ** 31 - 1),
      })
    case 'boolean':
      return fc.boolean()
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** Values with one thing wrong somewhere: a part gone, of another type, too long, or with something strange in it. */
export function broken(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const strange = fc.constantFrom<unknown>(
    null,
    true,
    -1,
    1.5,
    1e300,
    '',
    '../..',
    '\u0000',
    'x'.repeat(300),
    [],
    {},
    [[]],
    {
      __proto__: null,
      constructor: 1,
    },
  )
  return fc
    .tuple(values, strange, fc.nat(), fc.boolean())
    .map(([value, other, at, gone]) => changed(value, other, at, gone))
}

function changed(value: unknown, other: unknown, at: number, gone: boolean): unknown {
  if (typeof value !== 'object' || value === null || at % 7 === 0) return other
  const keys = Object.keys(value)
  const key = keys[at % Math.max(1, keys.length)]
  if (key === undefined) return other
  const entries = Object.entries(value).flatMap(([name, part]) => {
    if (name !== key) return [[name, part] as const]
    return gone ? [] : [[name, changed(part, other, Math.floor(at / 7), gone)] as const]
  })
  return Array.isArray(value) ? entries.map(([, part]) => part) : Object.fromEntries(entries)
}
