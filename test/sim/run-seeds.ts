import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { SeedsDone } from './seeds-child.ts'

/** Which seeds to run. */
export interface SeedsWanted {
  readonly from: number
  readonly count: number
  /** A bug to plant into the sources, by its name. */
  readonly plant?: string
  /** Ends at the first seed that fails. */
  readonly untilFailure?: boolean
}

const child = fileURLToPath(new URL('seeds-child.ts', import.meta.url))
const hook = fileURLToPath(new URL('plant-hook.ts', import.meta.url))

// A world leaves much behind that is young: with room for it (in MB) a tenth of the time is saved.
const flags = ['--conditions=@waystone/source', '--max-semi-space-size=32']

/** Runs seeds in one process for each core, and adds up what they found. */
export async function runSeeds({
  from,
  count,
  plant,
  untilFailure = false,
}: SeedsWanted): Promise<SeedsDone & { readonly ms: number }> {
  const began = performance.now()
  const processes = Math.min(availableParallelism(), count)
  const pairs = new Map<string, number>()
  const failures: SeedsDone['failures'][number][] = []
  let seeds = 0
  let events = 0
  let fewestEvents = Infinity
  const stops: (() => void)[] = []
  const run = (index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const mine = Math.ceil((count - index) / processes)
      const execArgv = [...flags, ...(plant === undefined ? [] : [`--import=${hook}`])]
      const process = fork(child, [from + index, mine, processes].map(String), {
        execArgv,
        env: { ...env, ...(plant === undefined ? {} : { WAYSTONE_PLANT: plant }) },
      })
      let isStopped = false
      stops.push(() => {
        isStopped = true
        process.kill()
      })
      process.on('message', (done: SeedsDone) => {
        seeds += done.seeds
        events += done.events
        fewestEvents = Math.min(fewestEvents, done.fewestEvents)
        failures.push(...done.failures)
        for (const [pair, times] of Object.entries(done.pairs))
          pairs.set(pair, (pairs.get(pair) ?? 0) + times)
        if (untilFailure && failures.length > 0) for (const stop of stops) stop()
      })
      process.on('error', reject)
      process.on('exit', (code) => {
        if (code === 0 || isStopped) resolve()
        else reject(new Error(`a process of the simulation ended with ${String(code)}`))
      })
    })
  await Promise.all(Array.from({ length: processes }, (_, index) => run(index)))
  const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    seeds,
    events,
    fewestEvents,
    pairs: Object.fromEntries(sorted),
    failures: failures.sort((a, b) => a.seed - b.seed),
    ms: performance.now() - began,
  }
}
