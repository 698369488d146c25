import { expect, it } from 'vitest'
import { defineAgent, done } from './agent.ts'
import type { RetentionOption } from './retention-of.ts'

const keeping = (retention: RetentionOption) =>
  defineAgent({ name: 'a', version: 1, retention, initial: () => ({}), turn: async () => done() })

it.each([
  { age: '2w' },
  { age: NaN },
  { age: -1 },
  { turns: NaN },
  { turns: -1 },
  { turns: 1.5 },
  { turns: '10' },
  'none',
  null,
])('an agent is refused whose `retention` cannot be read: %j', (retention) => {
  expect(() => keeping(retention as RetentionOption)).toThrow(
    expect.objectContaining({ code: 'input_refused' }),
  )
})

it.each<RetentionOption>([
  'all',
  {},
  { turns: 0, age: 0 },
  { turns: Infinity },
  { age: '14d', labels: false },
])('an agent keeps what its `retention` says: %j', (retention) => {
  expect(keeping(retention).retention).toEqual(retention)
})
