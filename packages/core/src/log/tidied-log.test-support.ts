import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import type { EntryDraft } from './bodies.ts'
import { parseLine } from './entry.ts'
import type { Retention } from './retention.ts'
import { RunLog } from './run-log.ts'
import { Snapshotter, type SnapshotterPorts } from './snapshotter.ts'

export const run = 'run' as RunId
export const me = 'laptop' as OwnerId

/** Nothing is kept but what has to be, and labels. */
export const shortest: Retention = { turns: 0, ms: 0, labels: true }

export const start = (state: Value): EntryDraft => ({
  kind: 'start',
  body: {
    agent: 'a',
    version: 1,
    config: 'c'.repeat(64) as Digest,
    input: null,
    place: 'browser',
    whenGone: 'offer',
    leaseMs: 30_000,
    nonce: 'n',
    sdk: '0',
    state: encodeValue(state),
  },
})

/** A log of turns that each make a new state of 40,000 characters, so that every second one makes a snapshot due. */
export async function tidied(
  storage: RunStorage,
  retention?: Retention,
  ports: Partial<SnapshotterPorts> = {},
) {
  let now = 1_000
  const log = await RunLog.open(run, { ...storage, now: () => now })
  const failures: unknown[] = []
  const snapshotter = new Snapshotter(log, {
    me,
    blobs: storage.blobs,
    snapshots: storage.snapshots,
    clock: { task: () => new Promise((resolve) => setImmediate(resolve)), now: () => now },
    mayAppend: () => true,
    retention: () => retention,
    synced: () => Infinity,
    failed: (error) => failures.push(error),
    ...ports,
  })
  const add = (draft: EntryDraft): Promise<unknown> => log.append(me, () => [draft])
  if (log.fold === undefined) await add(start({ text: '' }))
  return {
    log,
    failures,
    add,
    settle: () => snapshotter.settle(),
    label: (label: string) => add({ kind: 'label', body: { path: `0/${label}`, label } }),
    /** A turn, and what is to be tidied up after it. */
    async turn(text = largeText(log.mustFold().turn)): Promise<void> {
      now += 1_000
      const { state, turn } = log.mustFold()
      const delta = diff(state, { text })
      await add({ kind: 'commit', body: { turn, rules: 1, version: 1, delta, next: { type: 'next' } } })
      await snapshotter.settle()
    },
  }
}

export function largeText(turn: number): string {
  return `${String(turn % 10).repeat(40_000)} ${String(turn)}`
}

/** The first entry that a store has. */
export async function firstIn(storage: RunStorage): Promise<number> {
  return parseLine((await storage.store.read(run, 0))[0] as Uint8Array).seq
}
