import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { headOfLine, planAppend } from '../log/plan-append.ts'
import type { Append, Appended, Head, LogStore, RunSummary, SetAside } from '../ports/log-store.ts'

interface MemoryRun {
  lines: Uint8Array[]
  summary: RunSummary | undefined
  aside: SetAside[]
}

/** Logs in memory: the whole contract of a store but for outliving its process. */
export function memoryLogStore(): LogStore {
  const runs = new Map<RunId, MemoryRun>()
  let closed = false
  const open = (run: RunId): MemoryRun => {
    if (closed) throw new WaystoneError('closed', 'this store was closed', { run })
    return runs.get(run) ?? { lines: [], summary: undefined, aside: [] }
  }

  return {
    async append(run: RunId, append: Append): Promise<Appended> {
      const kept = open(run)
      const at = (seq: number): Head | undefined => headOf(kept.lines[seq])
      const plan = planAppend(append, headOf(kept.lines.at(-1)), at)
      if (!plan.ok) return plan
      const aside = kept.lines.slice(plan.keep)
      const isRepeat = plan.lines.length === 0 && append.lines.length > 0 && aside.length === 0
      kept.lines.splice(plan.keep, aside.length, ...plan.lines.map((line) => line.slice()))
      runs.set(run, {
        lines: kept.lines,
        // What is stored again changes nothing, its summary neither.
        summary: isRepeat ? kept.summary : (append.summary ?? kept.summary),
        aside: [...kept.aside, ...asideOf(append, plan.keep, aside)],
      })
      return { ok: true, head: plan.head }
    },
    async read(run, from) {
      const { lines } = open(run)
      let bytes = 0
      let to = from
      while (to < lines.length && (bytes === 0 || bytes < limits.pageBytesMax))
        bytes += lines[to++]?.byteLength ?? 0
      return lines.slice(from, to).map((line) => line.slice())
    },
    async head(run) {
      return headOf(open(run).lines.at(-1))
    },
    async list(after) {
      if (closed) throw new WaystoneError('closed', 'this store was closed')
      return [...runs.values()]
        .flatMap(({ summary }) => (summary && (after === undefined || summary.run > after) ? [summary] : []))
        .sort((a, b) => (a.run < b.run ? -1 : 1))
        .slice(0, limits.listRunsMax)
    },
    async setAside(run) {
      return open(run).aside
    },
    async close() {
      closed = true
    },
  }
}

function asideOf({ setAside }: Append, from: number, lines: readonly Uint8Array[]): readonly SetAside[] {
  if (setAside === undefined || lines.length === 0) return []
  return [{ ...setAside, name: `${String(from)}-${String(setAside.time)}`, lines }]
}

function headOf(line: Uint8Array | undefined): Head | undefined {
  return line && headOfLine(line)
}
