import type { EnginePage } from '../harness/engines.ts'

/** An entry as the page of the tests tells it. */
export interface EntryFacts {
  readonly seq: number
  readonly kind: string
  readonly owner: string
  readonly epoch: number
  readonly term: number
  readonly time: number
  readonly body: { readonly path?: string; readonly how?: string; readonly reason?: string }
}

/** What a call in the page came to. */
export interface Tried {
  readonly ok: boolean
  readonly code?: string
  readonly message?: string
}

/** The entries of a run, as one page has them. */
export function entriesOf(page: EnginePage, run: string): Promise<readonly EntryFacts[]> {
  return page.evaluate<readonly EntryFacts[]>(`rig.entries('${run}')`)
}

/** The entries of one kind. */
export function ofKind(entries: readonly EntryFacts[], kind: string): readonly EntryFacts[] {
  return entries.filter((entry) => entry.kind === kind)
}

/** Waits until a run is done, and gives its result. */
export function resultOf<T>(page: EnginePage, run: string): Promise<T> {
  return page.evaluate<T>(`rig.run('${run}').then((run) => run.result())`)
}

/** Waits until a page's view of a run fits an expression on `view`. */
export function until(page: EnginePage, run: string, fits: string): Promise<void> {
  return page.waitFor(`rig.view('${run}').then((view) => view !== undefined && (${fits}))`)
}
