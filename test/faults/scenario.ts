import {
  isWaystoneError,
  RunLog,
  verifyChain,
  type AnyAgent,
  type RunId,
  type RunStorage,
} from '@waystone/core'
import { FaultWorld, type FaultHost, type FaultSide, type Stores } from './fault-world.ts'
import type { FaultKind } from './fault.ts'
import type { Outside } from './outside.ts'

/** Something that people do with runs, which comes to the same end however often it is begun anew. */
export interface Scenario {
  readonly name: string
  readonly edge: boolean
  readonly agents: (outside: Outside) => readonly AnyAgent[]
  /** Begins, or goes on with whatever is there. */
  play(host: FaultHost): Promise<void>
  /** Throws unless all came right. */
  check(world: FaultWorld, host: FaultHost): Promise<void>
}

/** Plays a scenario in which the n-th call goes wrong. Says which call that was; undefined when there were fewer. */
export async function playWithFault(
  scenario: Scenario,
  stores: Stores,
  fault: { readonly side: FaultSide; readonly kind: FaultKind; readonly at: number },
): Promise<string | undefined> {
  const { edge, agents } = scenario
  const world = new FaultWorld({ stores, agents, edge, ...fault })
  try {
    const host = world.host()
    const killed = host.fault.killed.then(() => 'killed' as const)
    if ((await Promise.race([live(scenario, world, host), killed])) === 'killed')
      await live(scenario, world, world.host())
    await checkLogs(world)
    return world.fault.hit
  } catch (cause) {
    const { side, kind, at } = fault
    const where = `${scenario.name}, ${kind} call ${String(at)} of the ${side}, ${world.fault.hit ?? 'never reached'}`
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  } finally {
    await world.close()
  }
}

/** The life of one host, to its end. */
async function live(scenario: Scenario, world: FaultWorld, host: FaultHost): Promise<void> {
  await scenario.play(host)
  await scenario.check(world, host)
  await (await host.runtime()).close().catch((error: unknown) => {
    // Who closes has to be told, and nothing is lost by it.
    if (!isWaystoneError(error, 'storage_failed')) throw error
  })
}

/** Every acknowledged entry is there, every log is a whole chain that can be read, and nothing was done twice. */
async function checkLogs(world: FaultWorld): Promise<void> {
  const { outside } = world
  if (outside.wrong.length > 0) throw new Error(outside.wrong.join('; '))
  for (const run of outside.runs) {
    const kept: Uint8Array[] = []
    let first = Infinity
    for (const storage of world.storages()) {
      const lines = await linesOf(storage, run)
      if (lines.length === 0) continue
      const [begin] = verifyFrom(run, lines)
      first = Math.min(first, begin)
      kept.push(...lines, ...(await storage.tails.list(run)).flatMap((tail) => tail.lines))
      const log = await RunLog.open(run, { ...storage, now: () => 1 })
      if (log.damage) throw new Error(`a log of ${run} is damaged: ${log.damage.reason}`)
    }
    // What the retention lets go is not lost.
    const lost = outside.lost(run, kept).filter((one) => Number.parseInt(one, 10) >= first)
    if (lost.length > 0) throw new Error(`acknowledged entries of ${run} are lost: ${lost.join(', ')}`)
  }
}

function verifyFrom(run: RunId, lines: readonly Uint8Array[]): readonly [number] {
  const [line] = lines as readonly [Uint8Array]
  const { seq, prev } = JSON.parse(new TextDecoder().decode(line)) as { seq: number; prev: never }
  verifyChain(run, seq === 0 ? undefined : { seq: seq - 1, digest: prev }, lines)
  return [seq]
}

/** All lines of a run that a storage has. */
export async function linesOf({ store }: RunStorage, run: RunId): Promise<readonly Uint8Array[]> {
  const lines: Uint8Array[] = []
  for (let next = 0; ;) {
    const page = await store.read(run, next)
    const last = page.at(-1)
    if (last === undefined) return lines
    lines.push(...page)
    next = (JSON.parse(new TextDecoder().decode(last)) as { seq: number }).seq + 1
  }
}
