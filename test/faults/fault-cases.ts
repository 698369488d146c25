import type { FaultSide, Stores } from './fault-world.ts'
import type { FaultKind } from './fault.ts'
import {
  backScenario,
  errandScenario,
  handOverScenario,
  moveScenario,
  retentionScenario,
  syncedScenario,
} from './run-scenarios.ts'
import { playWithFault, type Scenario } from './scenario.ts'
import { sessionScenario, syncedSessionScenario } from './session-scenario.ts'

const kinds: readonly FaultKind[] = ['fail', 'kill before', 'kill after']
const scenarios: readonly (readonly [Scenario, FaultSide, readonly FaultKind[]])[] = [
  [errandScenario, 'device', kinds],
  [syncedScenario, 'device', [...kinds, 'lose answer']],
  [syncedScenario, 'edge', kinds],
  [moveScenario, 'device', [...kinds, 'lose answer']],
  [moveScenario, 'edge', kinds],
  [handOverScenario, 'device', [...kinds, 'lose answer']],
  [handOverScenario, 'edge', kinds],
  [retentionScenario, 'device', kinds],
  [backScenario, 'device', kinds],
  [sessionScenario, 'device', kinds],
  [syncedSessionScenario, 'device', [...kinds, 'lose answer']],
  [syncedSessionScenario, 'edge', kinds],
]

/** What goes wrong where: a test each. */
export const faultCases = scenarios.flatMap(([scenario, side, some]) =>
  some.map((kind) => ({ name: scenario.name, scenario, side, kind })),
)

export type FaultCase = (typeof faultCases)[number]

/** Plays a case with a fault at every call, one after the other, each in new stores. Gives how many calls there were. */
export async function playEveryFault(
  { scenario, side, kind }: FaultCase,
  stores: () => Stores,
): Promise<number> {
  let at = 1
  while ((await playWithFault(scenario, stores(), { side, kind, at })) !== undefined) at += 1
  // The scenario has gone through untouched: every call before was the one that went wrong.
  return at
}
