import type { AnyAgent } from '@waystone/core'
import { combinatorCases } from './cases/combinators.ts'
import { effectCases } from './cases/effects.ts'
import { orderCases } from './cases/order.ts'
import { otherCodeCases, standingCases } from './cases/other-code.ts'
import { peopleCases } from './cases/people.ts'
import { streamCases } from './cases/streams.ts'
import type { EngineCase } from './engine-case.ts'

/** What takes a minute. */
export const slowCases: readonly EngineCase[] = standingCases

/** What the engine promises, to be kept in every host. */
export const engineCases: readonly EngineCase[] = [
  ...slowCases,
  ...otherCodeCases,
  ...combinatorCases,
  ...orderCases,
  ...peopleCases,
  ...effectCases,
  ...streamCases,
]

/** Which code a host has: what the runs begin with, or what is registered once it was killed. */
export type Code = 'first' | 'later'

/** The agents that a host registers. */
export function agentsOf(code: Code): readonly AnyAgent[] {
  return engineCases.map(({ agent, later }) => (code === 'later' ? (later ?? agent) : agent))
}
