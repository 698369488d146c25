import {
  createDraft,
  diff,
  encodeValue,
  parseDigest,
  parseOwnerId,
  parseRunId,
  RunLog,
  Snapshotter,
  type Delta,
  type RunStorage,
  type Value,
} from '@waystone/core'

type LogStorage = Pick<RunStorage, 'store' | 'snapshots' | 'blobs'>

const owner = parseOwnerId('bench')

/** A new log of a run without an engine: what the benches commit to it is all that it has. */
export async function beginLog(
  run: string,
  { store, snapshots, blobs }: LogStorage,
  state: unknown,
): Promise<RunLog> {
  const log = await RunLog.open(parseRunId(run), { store, snapshots, blobs, now: () => Date.now() })
  const body = {
    agent: 'chat',
    version: 1,
    config: parseDigest('0'.repeat(64)),
    input: null,
    place: 'browser',
    whenGone: 'offer',
    leaseMs: 30_000,
    nonce: 'bench',
    sdk: '0',
    state: encodeValue(state),
  } as const
  await log.append(owner, () => [{ kind: 'start', body }])
  return log
}

/** Commits a turn: what changed and, where the log need not make it itself, the new state. */
export async function commitDelta(log: RunLog, delta: Delta, state?: Value): Promise<void> {
  const { turn } = log.mustFold()
  const body = { turn, rules: 1, version: 1, delta, next: { type: 'next' } } as const
  await log.append(owner, () => [{ kind: 'commit', body }], state === undefined ? {} : { state })
}

/** Commits a turn through a draft, which knows what was written to it. */
export async function commitDraft<State extends object>(
  log: RunLog,
  recipe: (draft: State) => void,
): Promise<void> {
  const { state } = log.mustFold()
  const { draft, finish } = createDraft(state as unknown as State)
  recipe(draft)
  const after = finish() as unknown as Value
  await commitDelta(log, diff(state, after), after)
}

/** What makes snapshots of such a log; what fails is thrown. By default all history is kept. */
export function snapshotterOf(
  log: RunLog,
  { snapshots, blobs }: LogStorage,
  {
    clock,
    mayAppend = () => true,
    retention = () => undefined,
  }: Pick<ConstructorParameters<typeof Snapshotter>[1], 'clock'> &
    Partial<Pick<ConstructorParameters<typeof Snapshotter>[1], 'mayAppend' | 'retention'>>,
): Snapshotter {
  return new Snapshotter(log, {
    ...{ me: owner, blobs, snapshots, clock, mayAppend, retention },
    tails: { list: () => Promise.resolve([]) },
    synced: () => Infinity,
    failed(error) {
      throw error
    },
  })
}
