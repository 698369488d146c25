import { parseLine, type RunId } from '@waystone/core'

/** The world outside of all hosts: what bodies did there, and what was acknowledged to anybody. */
export class Outside {
  /** Effects by their key: how often each was done. */
  readonly #done = new Map<string, number>()
  readonly #acknowledged = new Map<RunId, Map<string, Uint8Array>>()
  /** Paths of steps whose outcome was acknowledged, by run. */
  readonly #recorded = new Set<string>()
  /** What must never happen and did. */
  readonly wrong: string[] = []

  /** A step's body begins. */
  step(run: string, path: string): void {
    if (this.#recorded.has(`${run} ${path}`))
      this.wrong.push(`step ${path} of ${run} ran again although it was recorded`)
  }

  /** An effect is done. */
  effect(key: string): void {
    const count = (this.#done.get(key) ?? 0) + 1
    this.#done.set(key, count)
    if (count > 1) this.wrong.push(`effect ${key} was done ${String(count)} times`)
  }

  isDone(key: string): boolean {
    return this.#done.has(key)
  }

  get effects(): number {
    return this.#done.size
  }

  /** Lines were acknowledged to whoever wrote them. */
  acknowledged(run: RunId, lines: readonly Uint8Array[]): void {
    const known = this.#acknowledged.get(run) ?? new Map<string, Uint8Array>()
    this.#acknowledged.set(run, known)
    for (const line of lines) {
      const entry = parseLine(line)
      known.set(entry.digest, line)
      const body = entry.body as { readonly path?: string; readonly outcome?: object } | undefined
      // One that failed runs again when a person says so.
      if (entry.kind === 'step' && body?.path && 'value' in (body.outcome ?? {}))
        this.#recorded.add(`${run} ${body.path}`)
      // Whoever goes back runs its steps anew.
      if (entry.kind === 'rewind')
        for (const one of this.#recorded) if (one.startsWith(`${run} `)) this.#recorded.delete(one)
    }
  }

  /** The acknowledged lines of a run that are in none of these, by their numbers. */
  lost(run: RunId, kept: readonly Uint8Array[]): readonly string[] {
    const there = new Set(kept.map((line) => parseLine(line).digest as string))
    const all = [...(this.#acknowledged.get(run) ?? [])]
    return all.flatMap(([digest, line]) => {
      const { seq, kind } = parseLine(line)
      return there.has(digest) ? [] : [`${String(seq)} ${kind}`]
    })
  }

  get runs(): readonly RunId[] {
    return [...this.#acknowledged.keys()]
  }
}
