import { expect, it } from 'vitest'
import { originsOf, quotaOf } from './configured.ts'
import type { Env } from './env.ts'

const envOf = (env: Partial<Env>): Env => env as Env

it('originsOf() takes origins with commas between them', () => {
  const WAYSTONE_ORIGINS = 'https://app.example.com, https://other.example.com,'
  expect(originsOf(envOf({ WAYSTONE_ORIGINS }))).toEqual([
    'https://app.example.com',
    'https://other.example.com',
  ])
  expect(originsOf(envOf({}))).toEqual([])
})

it('quotaOf() takes the limits that are named', () => {
  expect(quotaOf(envOf({ WAYSTONE_QUOTA: '{"runsMax": 1000, "bytesMax": 5}' }))).toEqual({
    runsMax: 1_000,
    bytesMax: 5,
  })
  for (const env of [{}, { WAYSTONE_QUOTA: '' }]) expect(quotaOf(envOf(env))).toEqual({})
})

it.each(['{', '7', 'null', '[]', '{"runs": 5}', '{"runsMax": "5"}', '{"runsMax": 0}', '{"runsMax": 1.5}'])(
  'quotaOf() refuses %s',
  (WAYSTONE_QUOTA) => {
    expect(() => quotaOf(envOf({ WAYSTONE_QUOTA }))).toThrow('expected WAYSTONE_QUOTA')
  },
)
