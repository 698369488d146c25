import { simulate } from '@waystone/testing/simulator'
import process from 'node:process'

/** What one process has found out about some seeds. */
export interface SeedsDone {
  readonly seeds: number
  readonly events: number
  /** Of the seed that had the fewest. */
  readonly fewestEvents: number
  readonly pairs: Readonly<Record<string, number>>
  readonly failures: readonly SeedFailure[]
}

export interface SeedFailure {
  readonly seed: number
  readonly failure: string
  readonly story: readonly string[]
}

/** So many seeds are told of at once. */
const chunk = 50
/** A process stops after so many that fail: what is left would say the same. */
const failuresMax = 5

const [from, count, step] = process.argv.slice(2).map(Number) as [number, number, number]
let unhandled: string | undefined
process.on('unhandledRejection', (error) => {
  unhandled ??= `a failure that nobody hears: ${error instanceof Error ? String(error.stack) : String(error)}`
})

const nothing: SeedsDone = { seeds: 0, events: 0, fewestEvents: Infinity, pairs: {}, failures: [] }
let done = nothing
let failed = 0
for (let index = 0; index < count && failed < failuresMax; index += 1) {
  const { simulated, failure } = await tried(from + index * step)
  const { seed, events, coverage } = simulated
  if (failure) failed += 1
  done = {
    seeds: done.seeds + 1,
    events: done.events + events,
    fewestEvents: Math.min(done.fewestEvents, events),
    pairs: added(done.pairs, coverage),
    failures: failure ? [...done.failures, await told(seed, failure)] : done.failures,
  }
  if (done.seeds < chunk && failure === undefined) continue
  process.send?.(done)
  done = nothing
}
if (done.seeds > 0) process.send?.(done)
process.disconnect()

/** Runs a seed. Where an error was made takes long to note, and only a seed that fails is asked for it. */
async function tried(seed: number, stackLines = 0) {
  Error.stackTraceLimit = stackLines
  const simulated = await simulate(seed)
  const failure = simulated.failure ?? unhandled
  unhandled = undefined
  return { simulated, failure }
}

/** A seed that has failed goes the same way once more, and says where. */
async function told(seed: number, failure: string): Promise<SeedFailure> {
  const { simulated, failure: again } = await tried(seed, 5)
  return { seed, failure: again ?? failure, story: simulated.story.slice(-40) }
}

function added(a: SeedsDone['pairs'], b: SeedsDone['pairs']): SeedsDone['pairs'] {
  const sum = { ...a }
  for (const [pair, times] of Object.entries(b)) sum[pair] = (sum[pair] ?? 0) + times
  return sum
}
