import type { ChromiumPage } from '../harness/engines.ts'
import { round } from './_report.ts'

/** What the tasks of one thread took. */
export interface ThreadTasks {
  readonly thread: string
  /** The processor time of every task, in ms, the longest first: what else the machine does is not counted. */
  readonly ms: readonly number[]
  /** Of tasks that took longer than was asked for: what took most of it. */
  readonly long: readonly LongTask[]
}

/** A task that took long, in ms of processor time, and the parts of it that took longest. They may contain each other. */
export interface LongTask {
  readonly ms: number
  readonly parts: readonly { readonly name: string; readonly ms: number }[]
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** When it began, and how long it took, in µs. */
  readonly ts: number
  readonly dur?: number
  /** Of the thread, in µs. */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Parts of a task that took less are not kept, in ms. */
const partMsMin = 2
const partsMax = 5

/** Traces the threads of a page's process while something is done: the page's own, and those of its workers. */
export async function traceTasks(
  page: ChromiumPage,
  longMs: number,
  work: () => Promise<void>,
): Promise<readonly ThreadTasks[]> {
  const pid = await page.rendererPid()
  const session = await page.raw.context().newCDPSession(page.raw)
  const names = new Map<number, string>()
  const tasks = new Map<number, number[]>()
  const longOnes: TraceEvent[] = []
  const parts: TraceEvent[] = []
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value as unknown as TraceEvent[]) {
      if (event.pid !== pid) continue
      if (event.name === 'thread_name') names.set(event.tid, event.args?.name ?? '')
      if (event.tdur === undefined) continue
      const ms = event.tdur / 1_000
      if (event.name !== 'RunTask') {
        if (ms >= partMsMin) parts.push(event)
        continue
      }
      if (ms > longMs) longOnes.push(event)
      const known = tasks.get(event.tid)
      if (known) known.push(ms)
      else tasks.set(event.tid, [ms])
    }
  })
  const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: ['disabled-by-default-devtools.timeline', 'devtools.timeline', 'v8', '__metadata'],
      excludedCategories: ['*'],
      recordMode: 'recordContinuously',
      traceBufferSizeInKb: 400_000,
    },
  })
  await work()
  await session.send('Tracing.end')
  await complete
  await session.detach()
  return [...tasks].map(([tid, ms]) => ({
    thread: names.get(tid) ?? String(tid),
    ms: ms.toSorted((one, other) => other - one),
    long: longOnes.filter((one) => one.tid === tid).map((one) => longTask(one, parts)),
  }))
}

function longTask(task: TraceEvent, events: readonly TraceEvent[]): LongTask {
  const isIn = ({ tid, ts }: TraceEvent): boolean =>
    tid === task.tid && ts >= task.ts && ts < task.ts + (task.dur ?? 0)
  const msOf = ({ tdur = 0 }: TraceEvent): number => round(tdur / 1_000)
  const parts = events.filter(isIn).map((event) => ({ name: event.name, ms: msOf(event) }))
  return {
    ms: msOf(task),
    parts: parts.toSorted((one, other) => other.ms - one.ms).slice(0, partsMax),
  }
}
