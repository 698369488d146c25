import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import type { EntryDraft } from './bodies.ts'
import type { Fold } from './fold.ts'
import type { Chunk } from './pack.ts'
import { RunLog } from './run-log.ts'
import { snapshotOf } from './snapshot.ts'

const config = 'c'.repeat(64) as Digest
const input = 'd'.repeat(64) as Digest
const laptop = 'laptop' as OwnerId
const edge = 'edge' as OwnerId

/** A log that is written, with all that it is kept in. */
export interface GoldenLog {
  readonly run: RunId
  readonly storage: RunStorage
  readonly log: RunLog
}

/** A value of every kind that a state can hold. */
export function everyKind(): Value {
  const nested = new Error('outer', { cause: new TypeError('inner') })
  return {
    text: 'a "quoted" text, é, 漢, 😀, \ud800',
    numbers: [0, -0, 1.5, -1e21, NaN, Infinity, -Infinity],
    nothing: null,
    missing: undefined,
    yes: true,
    big: 12345678901234567890n,
    when: new Date(1_800_000_000_000),
    never: new Date(NaN),
    map: new Map<Value, Value>([
      ['key', 1],
      [{ a: 1 }, [2]],
    ]),
    set: new Set([1, 'two', null]),
    bytes: new Uint8Array([0, 127, 255]),
    floats: new Float32Array([1.5, -2.25]),
    longs: new BigInt64Array([-1n, 2n]),
    buffer: new Uint8Array([1, 2, 3]).buffer,
    pattern: /a(b)c/giu,
    where: new URL('https://example.org/path?query#hash'),
    error: nested,
    // oxlint-disable-next-line no-sparse-arrays
    holes: [1, , 3],
    $: 'a real key of a dollar sign',
    $$: { $: 'date', v: 'no tag' },
  }
}

/** Writes logs that hold every kind of entry, the same bytes at every call. */
export async function goldenLogs(): Promise<readonly GoldenLog[]> {
  return [await aRun(), await aLargeFork(), await aSession(), await aRunOfHosts(), await aChild()]
}

/** A run that another has started, and that has started one for another place. */
async function aChild(): Promise<GoldenLog> {
  const { run, storage, log, add } = await opened('golden.child-1')
  const parent = 'golden.parent' as RunId
  await add({ kind: 'start', body: { ...identity, ...written, state: null, parent } })
  await add({ kind: 'turn', body: { turn: 0, rules: 1, version: 1, config } })
  const child = 'golden.grandchild-1' as RunId
  const spawn = { path: '0/help', child, agent: 'helper', given: 1, attempts: 1, at: 'edge' } as const
  await add({ kind: 'spawn', body: spawn })
  return { run, storage, log }
}

async function opened(name: string) {
  const run = name as RunId
  const storage = memoryStorage()
  let now = 1_800_000_000_000
  const log = await RunLog.open(run, { ...storage, now: () => (now += 1_000) })
  const add = async (drafts: EntryDraft | readonly EntryDraft[], owner = laptop): Promise<Digest> => {
    const entries = await log.append(
      owner,
      () => (Array.isArray(drafts) ? drafts : [drafts]) as readonly EntryDraft[],
    )
    return entries.at(-1)?.digest as Digest
  }
  return { run, storage, log, add }
}

const identity = {
  agent: 'golden',
  version: 1,
  config,
  input: { question: 'why?' },
  place: 'browser',
  whenGone: 'offer',
  leaseMs: 30_000,
} as const
const written = { nonce: 'nonce', sdk: '1.0.0' } as const

function commitOf({ turn, state }: Fold, next: Value): EntryDraft {
  return {
    kind: 'commit',
    body: { turn, rules: 1, version: 1, delta: diff(state, next), next: { type: 'next' } },
  }
}

/** Every kind of entry that a run can have, in an order in which they can come. */
async function aRun(): Promise<GoldenLog> {
  const { run, storage, log, add } = await opened('golden-run')
  const value = (json: Json): { readonly value: Json } => ({ value: json })
  const error = {
    code: 'step_failed',
    message: 'it failed',
    path: '0/fails',
    details: { status: 503 },
  } as const
  await add({ kind: 'start', body: { ...identity, ...written, state: encodeValue(everyKind()) } })
  await add({ kind: 'turn', body: { turn: 0, rules: 1, version: 1, config } })
  await add({
    kind: 'step',
    body: { path: '0/plan', input, attempts: 2, ms: 12, outcome: value(['a', 'b']) },
  })
  const stream = { stream: '0/draft', chars: 5, digest: input }
  await add({ kind: 'step', body: { path: '0/draft', attempts: 1, ms: 9, outcome: value('hello'), stream } })
  await add({ kind: 'step', body: { path: '0/fails', attempts: 3, ms: 9, outcome: { error } } })
  const hash = 'e'.repeat(64) as Digest
  const report = { name: 'report', type: 'text/plain', hash, bytes: 3 }
  const artifact: EntryDraft = {
    kind: 'step',
    body: { path: '0/report', attempts: 1, ms: 1, outcome: value(report) },
    blobs: [hash],
  }
  await storage.blobs.put(run, hash, new Uint8Array([1, 2, 3]))
  await add(artifact)
  const ask = await add({
    kind: 'ask',
    body: { path: '0/ok', input, question: 'May I?', due: 1_900_000_000_000 },
  })
  const answered = { status: 'answered', id: 'answer-1', value: true, by: 'phone' } as const
  await add({ kind: 'answer', body: { path: '0/ok', ask, answer: answered } })
  const late = await add({ kind: 'ask', body: { path: '0/late', input, question: { text: 'Still there?' } } })
  await add({ kind: 'answer', body: { path: '0/late', ask: late, answer: { status: 'expired' } } })
  const start = await add({
    kind: 'once.start',
    body: { path: '0/pay', input, key: 'key-1', timeoutMs: 5_000, place: 'browser', unsynced: true },
  })
  await add({ kind: 'once', body: { path: '0/pay', start, ms: 40, outcome: value({ id: 7 }), how: 'ran' } })
  await add({
    kind: 'receive',
    body: { path: '0/word', name: 'word', id: 'message-1', value: 'hi', by: 'phone' },
  })
  const items = [{ id: 'message-2', value: { $: 'undefined' }, by: 'phone' }]
  await add({ kind: 'drain', body: { path: '0/words', name: 'word', items } })
  await add({ kind: 'sleep', body: { path: '0/rest', due: 1_800_000_100_000 } })
  await add({ kind: 'wake', body: { path: '0/rest' } })
  const child = 'golden-run.child' as RunId
  await add({
    kind: 'spawn',
    body: { path: '0/help', child, agent: 'helper', given: 1, attempts: 2, due: 1_900_000_000_000 },
  })
  await add({ kind: 'join', body: { path: '0/join help', child, outcome: value('helped') } })
  await add({ kind: 'race', body: { path: '0/first', winner: 'fast', losers: ['slow'] } })
  await add({ kind: 'label', body: { path: '0/named', label: 'a milestone' } })
  await add({ kind: 'refuse', body: { id: 'message-3', type: 'answer', reason: 'the question is not open' } })
  await add({ kind: 'interrupt', body: { id: 'stop-1', by: 'phone' } })
  const next = { ...(log.mustFold().state as object), plan: ['a', 'b'], text: 'changed' }
  await add(commitOf(log.mustFold(), next))
  await add({ kind: 'open', body: { reason: 'opened', place: 'browser', ...written } })
  await add({ kind: 'claim', body: { reason: 'moved', place: 'edge', from: laptop, ...written } }, edge)
  await add({ kind: 'migrate', body: { from: 1, to: 2, config, delta: [['set', ['migrated'], true]] } }, edge)
  await add({ kind: 'edit', body: { by: 'phone', delta: [['del', ['migrated']]] } }, edge)
  const unknown = await add(
    { kind: 'once.start', body: { path: '1/mail', key: 'key-2', timeoutMs: 5_000, place: 'edge' } },
    edge,
  )
  await add(
    {
      kind: 'pause',
      body: {
        reason: 'outcome',
        error: { code: 'outcome_unknown', message: 'was it sent?' },
        actions: ['decide', 'fork'],
        drop: unknown,
      },
    },
    edge,
  )
  const decision = { type: 'done', value: 'sent' } as const
  await add({ kind: 'decide', body: { id: 'decide-1', by: 'phone', start: unknown, decision } }, edge)
  await add({ kind: 'retry', body: { id: 'retry-1', by: 'phone' } }, edge)
  await snapshot(log, storage, edge)
  const seq = 3
  await add(
    { kind: 'unwind', body: { id: 'back-1', by: 'phone', to: seq, undo: true, goal: 'rewind' } },
    edge,
  )
  await add({ kind: 'undo', body: { path: '0/pay', start, outcome: value(null) } }, edge)
  const target = await log.foldAt(seq)
  const records = target.records.map(({ kind, time, digest, body }) => ({
    kind,
    time,
    digest,
    body: body as unknown as Json,
  }))
  const checkpoint = {
    state: encodeValue(target.state),
    turn: 0,
    records,
    effects: [{ path: '1/mail', key: 'key-2' }],
  }
  await add(
    { kind: 'rewind', body: { ...checkpoint, version: 1, id: 'back-1', by: 'phone', to: target.head } },
    edge,
  )
  await add({ kind: 'cancel', body: { id: 'cancel-1', by: 'phone', reason: 'enough' } }, edge)
  return { run, storage, log }
}

/** A state and bodies that are too large for an entry. */
async function aLargeFork(): Promise<GoldenLog> {
  const { run, storage, log, add } = await opened('golden-fork')
  const list = Array.from({ length: 500 }, (_, index) => ({
    index,
    text: `item ${String(index)} `.repeat(6),
  }))
  const from = { run: 'golden-run' as RunId, seq: 3, digest: input }
  const checkpoint = {
    state: encodeValue({ list, long: 'x'.repeat(31_000) }),
    turn: 4,
    records: [],
    effects: [],
  }
  await add({ kind: 'fork', body: { ...identity, ...written, ...checkpoint, from, artifacts: [] } })
  const text = Array.from({ length: 7_000 }, (_, index) => `word${String(index)}`).join(' ')
  await add({ kind: 'turn', body: { turn: 4, rules: 1, version: 1, config } })
  await add({ kind: 'step', body: { path: '4/read', attempts: 1, ms: 3, outcome: { value: text } } })
  const { turn } = log.mustFold()
  // Half of the list is dropped, and what the step returned is named rather than repeated.
  const delta: Json = [
    ['splice', ['list'], 0, 250, []],
    ['set', ['read'], { $: 'step', v: ['4/read'] }],
  ]
  const done = { type: 'done', result: { words: 7_000 } } as const
  await snapshot(log, storage, laptop)
  await add({ kind: 'commit', body: { turn, rules: 1, version: 1, delta, next: done } })
  return { run, storage, log }
}

/** Keyed records. */
async function aSession(): Promise<GoldenLog> {
  const { run, storage, log, add } = await opened('golden-session')
  await add({ kind: 'start', body: { ...identity, ...written, state: { count: 0 } } })
  await add({
    kind: 'put',
    body: {
      by: 'w',
      changes: [
        { key: 'a', value: [1, 2, 3] },
        { key: 'b', value: 'b' },
      ],
    },
  })
  const like = { key: 'a', seq: 1 }
  await add({
    kind: 'put',
    body: { by: 'w', changes: [{ key: 'c', delta: [['splice', [], 3, 0, [4]]], like }] },
  })
  await add({ kind: 'put', body: { by: 'w', changes: [{ key: 'b', gone: true }] } })
  await add(commitOf(log.mustFold(), { count: 1 }))
  return { run, storage, log }
}

/** A run whose writers say what they run in and with, and one that does not. */
async function aRunOfHosts(): Promise<GoldenLog> {
  const { run, storage, log, add } = await opened('golden-hosts')
  const here = { ...written, host: 'chromium 156', versions: { ai: '7.0.1' } }
  const there = { ...written, host: 'workerd', versions: { ai: '7.0.2' } }
  await add({ kind: 'start', body: { ...identity, ...here, state: encodeValue({ count: 1 }) } })
  await add({ kind: 'open', body: { reason: 'opened', place: 'browser', ...here, host: 'chromium 157' } })
  await add({ kind: 'claim', body: { reason: 'moved', place: 'edge', from: laptop, ...there } }, edge)
  await snapshot(log, storage, edge)
  await add(commitOf(log.mustFold(), { count: 2 }), edge)
  await add({ kind: 'claim', body: { reason: 'forced', place: 'browser', from: edge, ...written } })
  return { run, storage, log }
}

async function snapshot(log: RunLog, { blobs }: RunStorage, owner: OwnerId): Promise<void> {
  const none = {
    kept: [],
    oldest: -1,
    gone: { before: 0, but: [] },
    held: new Set<number>(),
    retention: undefined,
  }
  const options = { ...none, cache: new WeakMap() }
  const packing: Generator<Chunk, EntryDraft> = snapshotOf(log.mustFold(), options)
  for (let next = packing.next(); ; next = packing.next()) {
    if (next.done) return void (await log.append(owner, () => [next.value as EntryDraft]))
    if (next.value.bytes) await blobs.put(log.run, next.value.hash, next.value.bytes)
  }
}
