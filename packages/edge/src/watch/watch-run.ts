import { edgeOwner, type RunLog } from '@waystone/core'
import type { EdgeEvent, Measured, Watch } from './edge-event.ts'

/** What is told of a run in its object. */
export interface WatchedRun extends Pick<Measured, 'tenant'> {
  readonly log: RunLog
  readonly durable: Pick<DurableObjectStorage, 'sync'>
}

/** Tells of what is stored of a run once it is on disk, and of each change of its owner. */
export function watchRun({ log, durable, tenant }: WatchedRun, watch: Watch): void {
  const about = { ...(tenant === undefined ? {} : { tenant }), run: log.run }
  log.listen(({ entries, lines }, fold) => {
    const began = Date.now()
    const bytes = lines.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const by = fold.owner === edgeOwner ? 'edge' : 'device'
    const claims = entries.flatMap((entry) =>
      entry.kind === 'claim' ? [{ reason: entry.body.reason, from: entry.body.from, to: entry.owner }] : [],
    )
    const told = (measured: Omit<Measured, 'tenant' | 'run'>): readonly EdgeEvent[] => [
      { type: 'save', by, entries: entries.length, ...about, ...measured },
      ...claims.map((claim) => ({ type: 'claim', ...claim, ...about, ...measured }) as const),
    ]
    const stored = (): void => told({ ms: Date.now() - began, bytes }).forEach(watch)
    // Storage that fails ends the object: then there is nothing to tell.
    void durable.sync().then(stored, () => undefined)
  })
}

/** Counts what is read by `read`, and tells that a run was read. */
export function counting<Args extends readonly unknown[]>(
  read: (...args: Args) => Promise<readonly Uint8Array[]>,
): { readonly read: typeof read; readonly bytes: () => number; readonly entries: () => number } {
  let bytes = 0
  let entries = 0
  return {
    async read(...args) {
      const lines = await read(...args)
      entries += lines.length
      bytes += lines.reduce((sum, { byteLength }) => sum + byteLength, 0)
      return lines
    },
    bytes: () => bytes,
    entries: () => entries,
  }
}
