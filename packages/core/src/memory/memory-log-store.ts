import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { parseLine } from '../log/entry.ts'
import { headOfLine, planAppend } from '../log/plan-append.ts'
import type { Append, Appended, Head, LogStore, RunSummary } from '../ports/log-store.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { tailName, type SetAside, type Tails } from '../ports/tails.ts'

interface MemoryRun {
  /** The sequence number of the first line. */
  readonly first: number
  readonly lines: readonly Uint8Array[]
  /** Of the last line, as its append told it: what is stored is not read again to append to it. */
  readonly head: Head | undefined
  readonly summary: RunSummary | undefined
  readonly aside: readonly SetAside[]
}

/** Logs in memory and what was set aside of them: the whole contract but for outliving their process. */
export function memoryLogStore(): { readonly store: LogStore; readonly tails: Tails } {
  const runs = new Map<RunId, MemoryRun>()
  let closed = false
  const open = (run: RunId): MemoryRun => {
    if (closed) throw new WaystoneError('closed', 'this store was closed', { run })
    return runs.get(run) ?? { first: 0, lines: [], head: undefined, summary: undefined, aside: [] }
  }

  const store: LogStore = {
    async append(run: RunId, append: Append): Promise<Appended> {
      const kept = open(run)
      const plan = planAppend(append, kept.head, (seq) => headAt(kept, seq, append))
      if (!plan.ok) return plan
      const stays = Math.min(Math.max(0, plan.keep - kept.first), kept.lines.length)
      const aside = kept.lines.slice(stays)
      const isRepeat = plan.lines.length === 0 && append.lines.length > 0 && aside.length === 0
      runs.set(run, {
        first: stays === 0 ? plan.from : kept.first,
        lines: [...kept.lines.slice(0, stays), ...plan.lines.map((line) => line.slice())],
        head: plan.head,
        // What is stored again changes nothing, its summary neither.
        summary: isRepeat ? kept.summary : (append.summary ?? kept.summary),
        aside: [...kept.aside, ...asideOf(append, plan.keep, aside)],
      })
      return { ok: true, head: plan.head }
    },
    async read(run, from, count = Infinity) {
      const { lines, first } = open(run)
      let bytes = 0
      const begin = Math.max(0, from - first)
      const end = Math.min(lines.length, begin + count)
      let to = begin
      while (to < end && (bytes === 0 || bytes < limits.pageBytesMax)) bytes += lines[to++]?.byteLength ?? 0
      return lines.slice(begin, to).map((line) => line.slice())
    },
    async head(run) {
      return open(run).head
    },
    async list(after) {
      if (closed) throw new WaystoneError('closed', 'this store was closed')
      return [...runs.values()]
        .flatMap(({ summary }) => (summary && (after === undefined || summary.run > after) ? [summary] : []))
        .sort((a, b) => (a.run < b.run ? -1 : 1))
        .slice(0, limits.listRunsMax)
    },
    async compact(run, { forget, head }) {
      const kept = open(run)
      if (head && head.digest !== kept.head?.digest) return false
      const count = Math.min(Math.max(0, forget - kept.first), kept.lines.length - 1)
      if (count > 0) runs.set(run, { ...kept, first: kept.first + count, lines: kept.lines.slice(count) })
      return true
    },
    async close() {
      closed = true
    },
  }
  const tails: Tails = {
    async list(run) {
      return open(run).aside
    },
    async drop(run, name) {
      const kept = open(run)
      runs.set(run, { ...kept, aside: kept.aside.filter((one) => one.name !== name) })
    },
  }
  return { store, tails }
}

/** The lines of snapshots in memory. */
export function memorySnapshots(): Snapshots {
  const runs = new Map<RunId, Map<number, Uint8Array>>()
  return {
    async put(run, seq, line) {
      runs.set(run, (runs.get(run) ?? new Map<number, Uint8Array>()).set(seq, line.slice()))
    },
    async list(run) {
      return [...(runs.get(run)?.keys() ?? [])].sort((a, b) => a - b)
    },
    async get(run, seq) {
      return runs.get(run)?.get(seq)?.slice()
    },
    async remove(run, seqs) {
      for (const seq of seqs) runs.get(run)?.delete(seq)
    },
  }
}

function asideOf({ setAside }: Append, from: number, lines: readonly Uint8Array[]): readonly SetAside[] {
  if (setAside === undefined || lines.length === 0) return []
  return [{ ...setAside, name: tailName(from, setAside.time), lines }]
}

/** The head at a sequence number. The one before the first line is known by that line, to whom goes on from there. */
function headAt({ first, lines }: MemoryRun, seq: number, append: Append): Head | undefined {
  if (seq >= first) {
    const line = lines[seq - first]
    return line && headOfLine(line)
  }
  const prev = lines[0] && parseLine(lines[0]).prev
  return prev && seq === first - 1 && append.lines.length > 0 ? { seq, digest: prev } : undefined
}
