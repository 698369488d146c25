import {
  defineAgent,
  done,
  encodeValue,
  headOfLine,
  parseDigest,
  parseOwnerId,
  sealEntry,
  type AnyAgent,
  type Claim,
  type Edge,
  type EntryDraft,
  type Follow,
  type Head,
  type InboxItem,
  type Next,
  type OwnerId,
  type Remote,
  type RunId,
  type WatchEvent,
} from '@waystone/core'
import { expectBytes, expectEqual } from './expect.ts'
import type { Chain } from './log-fixtures.ts'

/** What a network does to messages: it carries them, it carries none, or it loses every answer. */
export type Network = 'up' | 'down' | 'answers lost'

/** One edge, which hosts `remoteAgents`, and the ways to it. */
export interface RemoteSubject {
  /** The edge as a device reaches it. */
  edge(device: OwnerId, network?: Network): Edge
  /** The id of a run that the edge does not have; another one at every call. */
  newRun(): RunId
}

/** Waits for a person, for ever. */
const waiter = defineAgent({
  name: 'conformance-waiter',
  version: 1,
  initial: () => ({ asked: false }),
  async turn(ctx) {
    const answer = await ctx.ask<string>('go', { question: 'Go on?' })
    return done(answer.status)
  },
})

/** The agents that an edge has to host for `remoteCases`. */
export const remoteAgents: readonly AnyAgent[] = [waiter]

export const laptop: OwnerId = parseOwnerId('laptop')
export const phone: OwnerId = parseOwnerId('phone')

const digest = parseDigest('0'.repeat(64))
const time = 1_700_000_000_000

/** Who writes entries, when it is not the laptop from the start. */
export interface WrittenBy {
  readonly owner?: OwnerId
  readonly epoch?: number
  readonly term?: number
}

/** The first entry of a run. */
export function startOf(
  run: RunId,
  options: { readonly agent?: string; readonly nonce?: string } = {},
): Chain {
  const { agent = waiter.name, nonce = 'n' } = options
  const identity = { agent, version: 1, config: digest, input: null, place: 'browser' } as const
  const state = encodeValue({ asked: false })
  const lease = { whenGone: 'offer', leaseMs: 3_600_000 } as const
  return after(run, undefined, [{ kind: 'start', body: { ...identity, ...lease, nonce, sdk: '0', state } }])
}

/** An edge as the laptop reaches it, and a run of the laptop that is not there yet, with its first entry. */
export async function atLaptop(subject: () => Promise<RemoteSubject>) {
  const edge = await subject()
  const { remote, blobs } = edge.edge(laptop)
  const run = edge.newRun()
  return { edge, remote, blobs, run, start: startOf(run) }
}

/** Entries that follow a head. */
export function after(
  run: RunId,
  base: Head | undefined,
  drafts: readonly EntryDraft[],
  { owner = laptop, epoch = 0, term = 1 }: WrittenBy = {},
): Chain {
  const lines: Uint8Array[] = []
  const heads: Head[] = []
  let head = base
  for (const draft of drafts) {
    const at = { run, seq: (head?.seq ?? -1) + 1, prev: head?.digest ?? null, epoch, term, owner, time }
    const { line } = sealEntry(draft, at)
    head = headOfLine(line)
    lines.push(line)
    heads.push(head)
  }
  return { lines, heads }
}

/** A turn that was begun, and so many steps of it with a text each. */
export function stepsAfter(
  run: RunId,
  base: Head,
  count: number,
  { text = 'a', from = 0, ...by }: WrittenBy & { readonly text?: string; readonly from?: number } = {},
): Chain {
  const turn: EntryDraft = { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: digest } }
  const steps = Array.from({ length: count }, (_, index): EntryDraft => {
    const path = `0/step-${String(from + index)}`
    return { kind: 'step', body: { path, attempts: 1, ms: 1, outcome: { value: text } } }
  })
  return after(run, base, from === 0 ? [turn, ...steps] : steps, by)
}

/** The end of turn 0, and of the run unless something else comes next. */
export function endAfter(run: RunId, base: Head, next: Next = { type: 'done', result: null }): Chain {
  const body = { turn: 0, rules: 1, version: 1, delta: [], next } as const
  return after(run, base, [{ kind: 'commit', body }])
}

/** The last head of a chain. */
export function last({ heads }: Chain): Head {
  const head = heads.at(-1)
  if (head === undefined) throw new Error('expected a chain with entries')
  return head
}

/** Pushes a chain and expects it to be accepted. */
export async function mustPush(
  remote: Remote,
  run: RunId,
  base: Head | undefined,
  more: Chain,
): Promise<void> {
  const answer = await remote.push(run, { base, lines: more.lines })
  expectEqual(answer, { ok: true, head: last(more) }, 'the answer to a push')
}

/** Expects a push to be refused because the log ends elsewhere, and names where. */
export async function expectPushMoved(
  remote: Remote,
  run: RunId,
  push: Parameters<Remote['push']>[1],
  head: Head | undefined,
  what: string,
): Promise<void> {
  expectEqual(await remote.push(run, push), { ok: false, code: 'head_moved', head }, what)
}

/** All lines of a run from a sequence number on, page by page. */
export async function pullAll(
  remote: Remote,
  run: RunId,
  from = 0,
  as = phone,
): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = []
  for (let next = from; ;) {
    const { lines } = await remote.pull(run, next, as)
    if (lines.length === 0) return all
    for (const line of lines) expectEqual(headOfLine(line).seq, next++, 'the number of a pulled entry')
    all.push(...lines)
  }
}

/** Expects the edge to have exactly these entries. */
export async function expectRemote(remote: Remote, run: RunId, { lines, heads }: Chain): Promise<void> {
  expectBytes(await pullAll(remote, run), lines, 'the log at the edge')
  expectEqual((await remote.pull(run, 0, phone)).head, heads.at(-1), 'the head at the edge')
}

/** A claim of the phone, forced and proven, with what it is said to have otherwise. */
export function claimOf(base: Head, more: Partial<Claim> = {}): Claim {
  const proof = { head: base, version: 1, rules: 1 }
  return { base, epoch: 0, owner: phone, place: 'browser', reason: 'forced', proof, ...more }
}

/** A message to a run. */
export function messageOf(id: string, text = id): InboxItem {
  return { id, time, by: phone, type: 'message', name: 'remark', value: text }
}

/** What a follower hears. */
export interface Following extends Follow {
  /** The entries in order, each once. */
  readonly lines: readonly Uint8Array[]
  readonly events: readonly WatchEvent[]
  readonly states: readonly boolean[]
  /** Resolves when it holds; looked at again after everything that was heard. */
  until(holds: () => boolean): Promise<void>
}

/** Follows a run from a sequence number on. Throws into `until` when entries come that nobody asked for. */
export function following(remote: Remote, run: RunId, as: OwnerId, from = 0): Following {
  const lines: Uint8Array[] = []
  const events: WatchEvent[] = []
  const states: boolean[] = []
  const waiting = new Set<() => void>()
  let wrong: Error | undefined
  const take = (event: WatchEvent): void => {
    events.push(event)
    if (event.type !== 'lines') return
    if (event.from < from)
      wrong ??= new Error(`entry ${String(event.from)} came, asked for were those from ${String(from)} on`)
    for (const line of event.lines) if (headOfLine(line).seq === from + lines.length) lines.push(line)
  }
  const heard = (): void => {
    for (const look of waiting) look()
  }
  const follow = remote.follow(run, {
    as,
    from: () => from + lines.length,
    onEvent(event) {
      take(event)
      heard()
    },
    onState(online) {
      states.push(online)
      heard()
    },
  })
  return {
    lines,
    events,
    states,
    tell: (event) => follow.tell(event),
    close: () => follow.close(),
    until: (holds) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (wrong === undefined && !holds()) return
          waiting.delete(look)
          if (wrong) reject(wrong)
          else resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Expects these items, whatever their times: an edge may write down when they arrived. */
export function expectItems(found: readonly InboxItem[], items: readonly InboxItem[], what: string): void {
  const timeless = (list: readonly InboxItem[]): readonly object[] =>
    list.map((item) => ({ ...item, time: 0 }))
  expectEqual(timeless(found), timeless(items), what)
}
