import type { ChromiumPage } from '../harness/engines.ts'

/** What the tasks of one thread took. */
export interface ThreadTasks {
  readonly thread: string
  /** The processor time of every task, in ms, the longest first: what else the machine does is not counted. */
  readonly ms: readonly number[]
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Of the thread, in µs. */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Traces the threads of a page's process while something is done: the page's own, and those of its workers. */
export async function traceTasks(
  page: ChromiumPage,
  work: () => Promise<void>,
): Promise<readonly ThreadTasks[]> {
  const pid = await page.rendererPid()
  const session = await page.raw.context().newCDPSession(page.raw)
  const names = new Map<number, string>()
  const tasks = new Map<number, number[]>()
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value as unknown as TraceEvent[]) {
      if (event.pid !== pid) continue
      if (event.name === 'thread_name') names.set(event.tid, event.args?.name ?? '')
      if (event.name !== 'RunTask' || event.tdur === undefined) continue
      const ms = event.tdur / 1_000
      const known = tasks.get(event.tid)
      if (known) known.push(ms)
      else tasks.set(event.tid, [ms])
    }
  })
  const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: ['disabled-by-default-devtools.timeline', '__metadata'],
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
  }))
}
