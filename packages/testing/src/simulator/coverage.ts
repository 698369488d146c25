/** Which faults have hit which operations, and how often. */
export class Coverage {
  readonly #pairs = new Map<string, number>()

  hit(fault: string, operation: string): void {
    const pair = `${fault} x ${operation}`
    this.#pairs.set(pair, (this.#pairs.get(pair) ?? 0) + 1)
  }

  get pairs(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
