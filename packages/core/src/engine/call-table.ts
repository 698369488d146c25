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
