import type { RunId } from '../ids.ts'
import { verifyChain } from '../log/entry.ts'
import type { Head } from '../ports/log-store.ts'

/** The newest lines that a host has written, so many bytes of them: while its run stands still they need not be read again. */
export class RecentLines {
  readonly #bytesMax: number
  #lines: Uint8Array[] = []
  /** The sequence number after the last. */
  #next = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Lines that were appended, from a sequence number on. */
  add(from: number, lines: readonly Uint8Array[]): void {
    if (from !== this.#next) this.clear()
    this.#lines.push(...lines)
    this.#next = from + lines.length
    this.#bytes += lines.reduce((sum, line) => sum + line.byteLength, 0)
    while (this.#bytes > this.#bytesMax) this.#bytes -= this.#lines.shift()?.byteLength ?? 0
  }

  /** Somebody else has written. */
  clear(): void {
    this.#lines = []
    this.#bytes = 0
  }

  /** The lines from one head to another; undefined when they are not all here. */
  between(run: RunId, base: Head, head: Head): readonly Uint8Array[] | undefined {
    const first = this.#next - this.#lines.length
    if (base.seq + 1 < first || base.seq >= head.seq || head.seq + 1 !== this.#next) return undefined
    const lines = this.#lines.slice(base.seq + 1 - first)
    try {
      return verifyChain(run, base, lines).at(-1)?.digest === head.digest ? lines : undefined
    } catch {
      // They follow another entry than this.
      return undefined
    }
  }
}
