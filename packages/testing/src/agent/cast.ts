import { RunHandle, type Random, type Runtime } from '@waystone/core'

/** The run under test, and after it those that it has started. */
export class Cast {
  readonly #runtime: Runtime
  readonly #random: Random
  readonly #runs = new Map<string, RunHandle>()

  constructor(runtime: Runtime, main: RunHandle, random: Random) {
    this.#runtime = runtime
    this.#random = random
    this.#runs.set(main.id, main)
  }

  /** All runs, each followed from when it was first seen. */
  async runs(): Promise<readonly RunHandle[]> {
    for (const { run } of await this.#runtime.runs()) {
      if (!this.#runs.has(run)) this.#runs.set(run, await RunHandle.open(run, this.#runtime, this.#random))
    }
    return [...this.#runs.values()]
  }
}
