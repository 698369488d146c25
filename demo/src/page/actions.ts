import { isWaystoneError, type Decision } from '@waystone/core'
import { askTheDocs } from '../agent.ts'
import type { Source } from '../agent/types.ts'
import { showRunInAddress } from './address.ts'
import { beginMeasuring, followNothing, followRun } from './follow-run.ts'
import { page, type AskRun, type PageState } from './state.ts'
import { rememberTitle } from './titles.ts'

/** Reading a source may end before a move; a draft takes too long and goes on at the other place instead. */
const drainMs = 400

/** Starts a run and shows it, one at a time. */
export function ask(question: string, sources: readonly Source[]): Promise<boolean> {
  if (page.get().busy === 'start') return Promise.resolve(false)
  return act('start', async () => {
    const { way, token } = page.get()
    if (way === undefined) return
    const whenGone = token === undefined ? 'offer' : 'edge'
    const handle = await way.start(askTheDocs, { question, sources }, { whenGone })
    rememberTitle(handle.id, question)
    show(handle)
  })
}

/** Opens a run, also one that is only at the edge, and shows it. */
export function openRun(run: string, seen?: string): Promise<boolean> {
  page.set({ pane: 'run', problem: undefined })
  if (page.get().run === run) return Promise.resolve(true)
  return act('open', async () => {
    const { way } = page.get()
    if (way !== undefined) show(await way.open<typeof askTheDocs>(run, seen === undefined ? {} : { seen }))
  })
}

/** Goes back to the introduction. */
export function closeRun(): void {
  followNothing()
  showRunInAddress(undefined)
  page.set({ pane: 'ask', problem: undefined })
}

/** Moves the shown run and measures how long it stands still. */
export function move(to: 'edge' | 'here'): Promise<boolean> {
  return withRun(`move-${to}`, async (handle) => {
    beginMeasuring('move')
    await handle.move(to, { drainMs })
  })
}

/** Ends the worker as a crash would; another one goes on with its runs. */
export function killWorker(): Promise<boolean> {
  return act('kill', async () => {
    beginMeasuring('kill')
    await page.get().way?.restartWorker()
  })
}

/** Starts a new run from the checkpoint after an entry, or from where the open turn began, and shows it. */
export function forkFrom(seq?: number): Promise<boolean> {
  if (page.get().busy === 'fork') return Promise.resolve(false)
  return withRun('fork', async (handle) => {
    const { way, view } = page.get()
    const question = view?.state.question ?? 'fork'
    const id = await handle.fork(seq === undefined ? {} : { seq })
    rememberTitle(id, question)
    if (way !== undefined) show(await way.open<typeof askTheDocs>(id))
  })
}

/** Makes a run of what was set aside, and shows it. */
export function keepAside(name: string): Promise<boolean> {
  return withRun('keep', async (handle) => {
    const { way, view } = page.get()
    const id = await handle.keepAside(name)
    rememberTitle(id, view?.state.question ?? 'set aside')
    if (way !== undefined) show(await way.open<typeof askTheDocs>(id))
  })
}

/** Drops what was set aside, for ever. */
export function dropAside(name: string): Promise<boolean> {
  return withRun('drop', async (handle) => {
    await handle.dropAside(name)
    page.set({ setAside: await handle.setAside() })
  })
}

/** Brings the entries before those that are shown. */
export function showEarlier(): Promise<boolean> {
  return withRun('earlier', async (handle) => void (await handle.loadEarlier()))
}

/** Answers the open question: approves, or sends back with a remark. */
export function answer(digest: string, remark?: string): Promise<boolean> {
  return withRun('answer', (handle) =>
    handle.answer(digest, remark === undefined ? { approved: true } : { approved: false, remark }),
  )
}

export function interrupt(): Promise<boolean> {
  return withRun('interrupt', (handle) => handle.interrupt())
}

export function cancel(): Promise<boolean> {
  return withRun('cancel', (handle) => handle.cancel())
}

export function retry(): Promise<boolean> {
  return withRun('retry', (handle) => handle.retry())
}

/** Begins the open turn anew, with the code of now. */
export function restart(): Promise<boolean> {
  return withRun('restart', (handle) => handle.restart())
}

/** Says what became of an effect whose outcome is unknown. */
export function decide(start: string, decision: Decision): Promise<boolean> {
  return withRun('decide', (handle) => handle.decide(start, decision))
}

/** The bytes of the published brief, as a file. */
export function download(): Promise<boolean> {
  return withRun('download', async (handle) => {
    const artifact = page.get().view?.artifacts.at(-1)
    const bytes = artifact && (await handle.artifact(artifact))
    if (artifact === undefined || bytes === undefined)
      throw new Error('The brief is at the edge, which cannot be reached now.')
    // Addresses of this site mean nothing outside of it.
    const text = new TextDecoder().decode(bytes).replaceAll('](/sources/', `](${location.origin}/sources/`)
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([text], { type: artifact.type }))
    link.download = `${handle.id}.md`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  })
}

function show(handle: AskRun): void {
  followRun(handle)
  showRunInAddress(handle.id)
  page.set({ pane: 'run' })
}

function withRun(name: string, work: (handle: AskRun) => Promise<void>): Promise<boolean> {
  return act(name, async () => {
    const { handle } = page.get()
    if (handle !== undefined) await work(handle)
  })
}

/** Carries out one action and shows what went wrong. True when nothing did. */
async function act(name: string, work: () => Promise<void>): Promise<boolean> {
  page.set({ busy: name, problem: undefined })
  try {
    await work()
    return true
  } catch (error) {
    page.set({ problem: inWords(error) })
    return false
  } finally {
    if (page.get().busy === name) page.set({ busy: undefined } satisfies Partial<PageState>)
  }
}

function inWords(error: unknown): string {
  if (isWaystoneError(error, 'unauthorized'))
    return 'The edge does not know this browser. Open the address that npm start prints.'
  if (isWaystoneError(error, 'unreachable')) return 'The edge cannot be reached now. The run goes on here.'
  if (isWaystoneError(error, 'answer_taken'))
    return 'Somebody else has answered this already. The first answer counts.'
  return error instanceof Error ? error.message : String(error)
}
