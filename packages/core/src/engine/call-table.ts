import type { LiveCall } from '../ports/watch.ts'
import type { Call } from './call.ts'

/** The calls that an attempt's turn has made, by path. */
export class CallTable {
  readonly #byPath = new Map<string, Call>()
  readonly #open = new Set<Call>()

  /** How many calls the turn has made. */
  get size(): number {
    return this.#byPath.size
  }

  /** Those that have not settled, in the order in which they were made. */
  get open(): readonly Call[] {
    return [...this.#open]
  }

  /** True while a call is open. */
  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** The path of the first call that is open. */
  get firstOpen(): string | undefined {
    for (const { path } of this.#open) return path
    return undefined
  }

  /** Those that count for whether the turn waits: not those that wait for these, or for the end of a race. */
  get active(): readonly Call[] {
    return this.open.filter(
      ({ family, branch, phase }) => family !== 'race' && !(branch.doomed && phase === 'made'),
    )
  }

  /** Those whose bodies run. */
  get running(): readonly Call[] {
    return this.open.filter(({ phase }) => phase === 'running')
  }

  /**
   * Those of branches that have lost, and are still to be waited for: a `once` that was started until it is settled. Not a race inside of
   * one, which waits for its own.
   */
  get losing(): readonly Call[] {
    return this.open.filter(
      ({ branch, family, phase, start }) =>
        branch.doomed &&
        family !== 'race' &&
        (phase === 'running' || (phase === 'parked' && family === 'once' && start !== undefined)),
    )
  }

  /** What people are told of those that run or wait. */
  get told(): readonly LiveCall[] {
    return this.open
      .filter(({ phase }) => phase === 'running' || phase === 'parked')
      .map(({ path, kind, since, wait, attempt }) => ({
        path,
        kind,
        since,
        attempt,
        ...(wait ? { waits: wait } : {}),
      }))
  }

  /** The earliest time that one of those calls waits for which count, in ms since 1970. */
  due(counts: (call: Call) => boolean = () => true): number | undefined {
    let due: number | undefined
    for (const call of this.#open) {
      const { phase, wait } = call
      if (phase !== 'parked' || wait === undefined || !('due' in wait) || !counts(call)) continue
      due = Math.min(due ?? Infinity, wait.due ?? Infinity)
    }
    return due === Infinity ? undefined : due
  }

  get(path: string): Call | undefined {
    return this.#byPath.get(path)
  }

  add(call: Call): void {
    this.#byPath.set(call.path, call)
    this.#open.add(call)
  }

  /** Marks a call as settled. False when it was already. */
  settle(call: Call): boolean {
    call.phase = 'settled'
    call.wait = undefined
    call.poke = undefined
    return this.#open.delete(call)
  }
}

/** Tells bodies to stop; those of `once` are left alone. */
export function abortAll(calls: readonly Call[]): void {
  for (const { family, abort } of calls) if (family !== 'once') abort?.()
}
