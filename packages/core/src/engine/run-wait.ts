import type { Digest } from '../ids.ts'
import type { Bodies, EntryDraft } from '../log/bodies.ts'
import type { InboxItem } from '../ports/inbox.ts'
import { limits } from '../limits.ts'
import { decodeValue, encodeValue } from '../state/codec.ts'
import type { Json } from '../json.ts'
import type { Attempt } from './attempt.ts'
import type { Call } from './call.ts'
import type { AskOptions, Schema } from './ctx.ts'
import { durationMs } from './duration.ts'

/** Records the question, unless an earlier attempt did, and waits for the answer or the deadline. */
export async function beginAsk(
  attempt: Attempt,
  call: Call,
  question: Json,
  options: AskOptions<unknown>,
): Promise<void> {
  const asked =
    call.start?.kind === 'ask'
      ? { digest: call.start.digest, due: call.start.body.due }
      : await recordAsk(attempt, call, question, options)
  if (attempt.over) return
  const { digest: ask, due } = asked
  const look = async (isLast = false): Promise<void> => {
    const item = attempt.ports.inbox().find((one) => one.type === 'answer' && one.ask === ask)
    if (item?.type === 'answer') {
      attempt.running(call)
      const checked = await check(options.schema, item.value)
      if (attempt.over || isUnwanted(attempt, call)) return
      if ('value' in checked) {
        return recordAnswer(attempt, call, ask, {
          status: 'answered',
          id: item.id,
          value: checked.value,
          by: item.by,
        })
      }
      await attempt.record([refusal(item, checked.refused)])
      return look()
    }
    if (due !== undefined && attempt.ports.clock.now() >= due) {
      if (isLast) return recordAnswer(attempt, call, ask, { status: 'expired' })
      // An answer that reached the edge in time counts: only an inbox that is known to be empty lets a deadline pass.
      await inboxComplete(attempt, call)
      return attempt.over ? undefined : look(true)
    }
    attempt.park(call, { for: 'answer', ask, ...(due === undefined ? {} : { due }) }, look)
  }
  await look()
}

/** Waits until the inbox here holds all that the edge has, shown as waiting for the network. */
async function inboxComplete(attempt: Attempt, call: Call): Promise<void> {
  attempt.park(call, { for: 'network' }, () => new Promise(() => undefined))
  await attempt.ports.inboxComplete(attempt.signal)
  if (!attempt.over) attempt.running(call)
}

/** Waits for a message of a name; each is taken by one call. */
export async function beginReceive(attempt: Attempt, call: Call, name: string): Promise<void> {
  const look = async (): Promise<void> => {
    const item = attempt.takeMessage(name)
    if (item === undefined) return attempt.park(call, { for: 'message', name }, look)
    // From here on who ends this turn, or this branch, waits for what becomes of the message.
    attempt.running(call)
    const checked = await check(attempt.agent.inbox[name], item.value)
    if (attempt.over) return
    if (isUnwanted(attempt, call)) return attempt.giveBack(item.id)
    if ('refused' in checked) {
      await attempt.record([refusal(item, checked.refused)])
      return look()
    }
    await attempt.record([
      { kind: 'receive', body: { path: call.path, name, id: item.id, value: checked.value, by: item.by } },
    ])
  }
  await look()
}

/** Takes the messages of a name that wait now, which may be none: what one page holds; the rest waits for the next. */
export async function beginDrain(attempt: Attempt, call: Call, name: string): Promise<void> {
  if (!attempt.ports.knowsInbox()) {
    return attempt.park(call, { for: 'network' }, () => beginDrain(attempt, call, name))
  }
  if (call.phase === 'parked') attempt.running(call)
  const taken: Extract<InboxItem, { type: 'message' }>[] = []
  // All at once: two branches that drain share nothing out between them.
  for (let chars = 0; chars < limits.pageBytesMax;) {
    const item = attempt.takeMessage(name)
    if (item === undefined) break
    chars += JSON.stringify(item.value).length
    taken.push(item)
  }
  const items: { id: string; value: Json; by: string }[] = []
  for (const item of taken) {
    const checked = await check(attempt.agent.inbox[name], item.value)
    if (attempt.over) return
    if ('refused' in checked) await attempt.record([refusal(item, checked.refused)])
    else items.push({ id: item.id, value: checked.value, by: item.by })
  }
  if (attempt.over) return
  if (isUnwanted(attempt, call)) {
    for (const { id } of taken) attempt.giveBack(id)
    return
  }
  await attempt.record([{ kind: 'drain', body: { path: call.path, name, items } }])
}

/** Waits until a time that is recorded first, so that it is the same one after a crash. */
export async function beginSleep(attempt: Attempt, call: Call, ms: number): Promise<void> {
  let due = call.start?.kind === 'sleep' ? call.start.body.due : undefined
  if (due === undefined) {
    due = attempt.ports.clock.now() + ms
    await attempt.record([{ kind: 'sleep', body: { path: call.path, due } }])
  }
  const until = due
  const look = async (): Promise<void> => {
    if (attempt.ports.clock.now() < until) return attempt.park(call, { for: 'time', due: until }, look)
    attempt.running(call)
    await attempt.record([{ kind: 'wake', body: { path: call.path } }])
  }
  await look()
}

/** True for a call that nobody waits for any more: what it would take is somebody else's. */
function isUnwanted(attempt: Attempt, call: Call): boolean {
  if (call.phase === 'settled') return true
  if (!call.branch.doomed) return false
  attempt.rest(call)
  return true
}

async function recordAsk(
  attempt: Attempt,
  call: Call,
  question: Json,
  options: AskOptions<unknown>,
): Promise<{ digest: Digest; due: number | undefined }> {
  const due =
    options.deadline === undefined ? undefined : attempt.ports.clock.now() + durationMs(options.deadline)
  const body: Bodies['ask'] = {
    path: call.path,
    input: call.input as Digest,
    question,
    ...(due === undefined ? {} : { due }),
  }
  const entries = await attempt.record([{ kind: 'ask', body }])
  return { digest: entries.at(-1)?.digest as Digest, due }
}

async function recordAnswer(
  attempt: Attempt,
  call: Call,
  ask: Digest,
  answer: Bodies['answer']['answer'],
): Promise<void> {
  attempt.running(call)
  await attempt.record([{ kind: 'answer', body: { path: call.path, ask, answer } }])
}

/** What a schema makes of a value from outside, in encoded form, or why it is refused. */
async function check(
  schema: Schema | undefined,
  value: Json,
): Promise<{ readonly value: Json } | { readonly refused: string }> {
  if (schema === undefined) return { value }
  try {
    const result = await schema['~standard'].validate(decodeValue(value))
    if (result.issues === undefined) return { value: encodeValue(result.value) }
    return { refused: result.issues.map(({ message }) => message).join('; ') }
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) }
  }
}

function refusal(item: InboxItem, reason: string): EntryDraft {
  return { kind: 'refuse', body: { id: item.id, type: item.type, reason } }
}
