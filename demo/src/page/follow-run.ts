import { askLedger } from './edge.ts'
import { downTimeWatch } from './measure.ts'
import { page, type AskRun, type AskView, type Measured } from './state.ts'
import { beganOf, fromTheStart } from './timeline.ts'
import { rememberTitle } from './titles.ts'

let stopFollowing: () => void = () => undefined
let clock = downTimeWatch()

/** Shows a run that was opened, until another one is. */
export function followRun(handle: AskRun): void {
  stopFollowing()
  clock = downTimeWatch()
  page.set({
    run: handle.id,
    handle,
    view: undefined,
    entries: [],
    began: fromTheStart,
    setAside: [],
    ledger: undefined,
    measured: undefined,
  })
  let head = -1
  let first: number | undefined
  const stop = handle.subscribe((view) => {
    const entries = handle.entries()
    rememberTitle(view.run, view.state.question)
    measure(view)
    if (entries[0]?.seq !== first) {
      first = entries[0]?.seq
      page.set({ began: beganOf(handle) })
    }
    page.set({ view, entries })
    if (view.head.seq === head) return
    head = view.head.seq
    void lookAround(handle)
  })
  stopFollowing = () => {
    stop()
    void handle.close().catch(() => undefined)
  }
}

/** Shows no run. */
export function followNothing(): void {
  stopFollowing()
  stopFollowing = () => undefined
  page.set({
    run: undefined,
    handle: undefined,
    view: undefined,
    entries: [],
    began: fromTheStart,
    setAside: [],
    ledger: undefined,
    measured: undefined,
  })
}

/** The time at which something began that makes the run stand still for a moment. */
export function beginMeasuring(what: Measured['what']): void {
  page.set({ measured: undefined })
  clock.begin(what, performance.now())
}

function measure(view: AskView): void {
  const chars = Object.values(view.streams).reduce((sum, text) => sum + text.length, 0)
  const measured = clock.see({
    now: performance.now(),
    epoch: view.epoch,
    head: view.head.seq,
    chars,
    phase: view.live.phase,
  })
  if (measured !== undefined) page.set({ measured })
}

/** What stands beside the log: the ledger's counts and what was set aside. */
async function lookAround(handle: AskRun): Promise<void> {
  const started = handle.entries().findLast(({ kind }) => kind === 'once.start')
  const [ledger, setAside] = await Promise.all([
    started?.kind === 'once.start' ? askLedger(started.body.key) : undefined,
    handle.setAside().catch(() => []),
  ])
  if (page.get().handle !== handle) return
  page.set({ setAside, ...(ledger === undefined ? {} : { ledger }) })
}
