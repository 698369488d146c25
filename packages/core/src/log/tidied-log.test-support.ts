import type { RunStorage } from '../ports/run-storage.ts'
import type { Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import type { EntryDraft } from './bodies.ts'
import { commit, me, run, start } from './log.test-support.ts'
import type { Retention } from './bodies.ts'
import { RunLog } from './run-log.ts'
import { Snapshotter, type SnapshotterPorts } from './snapshotter.ts'

/** Nothing is kept but what has to be, and labels. */
export const shortest: Retention = { turns: 0, ms: 0, labels: true }

/** A log with somebody who tidies up after it, over a storage that outlives both. A new one begins with `state`. */
export async function tidied(
  storage: RunStorage,
  retention?: Retention,
  {
    state: first = { text: '' },
    ...ports
  }: Partial<SnapshotterPorts> & {
    readonly state?: Value
  } = {},
) {
  let now = 1_000
  const log = await RunLog.open(run, { ...storage, now: () => now })
  const failures: unknown[] = []
  const snapshotter = new Snapshotter(log, {
    me,
    blobs: storage.blobs,
    snapshots: storage.snapshots,
    tails: storage.tails,
    clock: { task: () => new Promise((resolve) => setImmediate(resolve)), now: () => now },
    mayAppend: () => true,
    retention: () => retention,
    synced: () => Infinity,
    failed: (error) => failures.push(error),
    ...ports,
  })
  const add = (draft: EntryDraft): Promise<unknown> => log.append(me, () => [draft])
  const change = async (work: (state: never) => Value): Promise<void> => {
    now += 1_000
    const { state, turn } = log.mustFold()
    await add(commit(turn, diff(state, work(state as never))))
  }
  if (log.fold === undefined) await add(start(first))
  return {
    log,
    failures,
    add,
    settle: () => snapshotter.settle(),
    label: (label: string) => add({ kind: 'label', body: { path: `0/${label}`, label } }),
    /** A turn that makes a new state of the old one. */
    change,
    /** A turn that makes a state of 40,000 characters, so that every second one makes a snapshot due; then tidies up. */
    async turn(text = largeText(log.mustFold().turn)): Promise<void> {
      await change(() => ({ text }))
      await snapshotter.settle()
    },
  }
}

function largeText(turn: number): string {
  return `${String(turn % 10).repeat(40_000)} ${String(turn)}`
}
