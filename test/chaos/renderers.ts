import { readFileSync } from 'node:fs'
import { processTree } from '../harness/process-tree.ts'

/** What the processes that render pages of sites are called, as the kernel shortens it. */
const names = ['Isolated Web Co', 'WebKitWebProces']
/** How long the page is kept busy, at first and at most, in ms. */
const spinMsMin = 150
const spinMsMax = 4_800
/** In how many parts of a second the kernel counts the time of processes. */
const ticksASecond = 100

/**
 * The process among our own children that renders a page of Firefox or WebKitGTK, which tell nobody: the one that is busy
 * while the page is, and by far. Chromium tells it by its tracing protocol. `others` render other pages, which may be as busy.
 */
export async function findRenderer(
  spin: (ms: number) => Promise<unknown>,
  others: ReadonlySet<number>,
): Promise<number> {
  for (let ms = spinMsMin; ms <= spinMsMax; ms *= 2) {
    const pids = processTree(process.pid).filter(
      (pid) => names.includes(fieldsOf(pid).name) && !others.has(pid),
    )
    const before = new Map(pids.map((pid) => [pid, fieldsOf(pid).ticks]))
    await spin(ms)
    const [first, second] = pids
      .map((pid) => ({ pid, ticks: fieldsOf(pid).ticks - (before.get(pid) ?? 0) }))
      .toSorted((a, b) => b.ticks - a.ticks)
    const isBusy = first !== undefined && first.ticks >= (ms / 1_000) * ticksASecond * 0.25
    if (isBusy && first.ticks >= 1.5 * (second?.ticks ?? 0)) return first.pid
  }
  throw new Error('no process is busy when the page is: its renderer cannot be told')
}

/** The name of a process and the time that it has used, in ticks; https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function fieldsOf(pid: number): { readonly name: string; readonly ticks: number } {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    return {
      name: text.slice(text.indexOf('(') + 1, end),
      ticks: Number(fields[11]) + Number(fields[12]),
    }
  } catch {
    return { name: '', ticks: 0 }
  }
}
