import { WaystoneError } from '../errors.ts'
import { isDigest } from '../ids.ts'
import type { Bodies, EntryKind } from './bodies.ts'
import type { Entry } from './entry.ts'

/** True for a value of one form. */
type Check = (value: unknown) => boolean
type Fields = Readonly<Record<string, Check>>

const text: Check = (value) => typeof value === 'string'
const whole: Check = (value) => Number.isSafeInteger(value)
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const flag: Check = (value) => typeof value === 'boolean'
const amount: Check = (value) => Number.isFinite(value) && (value as number) >= 0
const digest: Check = isDigest
/** JSON, whatever it is: what is in it is checked where it is decoded. */
const json: Check = (value) => value !== undefined
const one =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value)
const list =
  (of: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(of)
const any =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value))
const textByName: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(text)
/** An object with these fields; others may be there, those of a later Waystone. */
const shape =
  (fields: Fields, optional: Fields = {}): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(fields).every(([name, check]) => check(fieldOf(value, name))) &&
    Object.entries(optional).every(
      ([name, check]) => fieldOf(value, name) === undefined || check(fieldOf(value, name)),
    )

const head = { seq: count, digest }
const error = shape({ code: text, message: text })
const outcome = any(shape({ error }), shape({ value: json }))
const place = one('browser', 'page', 'edge')
const written = { nonce: text, sdk: text }
const software = { host: text, versions: textByName }
const sender = { id: text, by: text }
const effects = list(
  shape({ path: text, key: text }, { outcome, read: shape({ key: digest, origin: digest }) }),
)
const identity = {
  agent: text,
  version: count,
  config: digest,
  input: json,
  place,
  whenGone: one('offer', 'edge'),
  leaseMs: count,
}
const next = any(
  shape({ type: one('next') }, { due: count }),
  shape({ type: one('done'), result: json }),
  shape({ type: one('fail'), reason: text }),
)
const decision = any(
  shape({ type: one('done'), value: json }),
  shape({ type: one('again') }),
  shape({ type: one('failed'), message: text }),
)
const carried: Check = (value) =>
  shape({ kind: text, time: count, digest, body: json })(value) &&
  isBody(fieldOf(value as object, 'kind'), fieldOf(value as object, 'body'))
const checkpoint = { state: json, turn: count, records: list(carried), effects }
const likeValue = shape({ key: text, seq: count })
const change = any(
  shape({ key: text, value: json }),
  shape({ key: text, delta: json, like: likeValue }),
  shape({ key: text, gone: one(true) }),
)
const keyNote: Check = (value) =>
  Array.isArray(value) &&
  (value.length === 2 || value.length === 4) &&
  text(value[0]) &&
  value.slice(1).every(count)
const noted = { at: shape(head), turn: count, time: count, bytes: count, chars: count }
const notedToo = { label: text, oldest: count }
const budget = shape({}, { steps: count, ms: count, cost: amount })
const spent = shape({ steps: count, ms: count, cost: amount })
const used = { worked: count, cost: amount }
const artifact = shape({ name: text, type: text, hash: digest, bytes: count }, { part: count })

/** The form of the body of each kind. */
const forms: Readonly<Record<EntryKind, Check>> = {
  start: shape({ ...identity, ...written, state: json }, { budget, parent: text, depth: count, ...software }),
  fork: shape(
    { ...identity, ...checkpoint, ...written, from: shape({ run: text, ...head }) },
    {
      artifacts: list(artifact),
      sealedWith: list(text),
      budget: shape({ limits: budget, used: spent, total: spent }),
      ...software,
    },
  ),
  open: shape({ reason: one('opened', 'stolen', 'move_abandoned', 'lending'), place, ...written }, software),
  claim: shape(
    { reason: one('moved', 'expired', 'forced'), place, from: text, ...written },
    { lent: shape({ key: text, until: count }), ...software },
  ),
  turn: shape({ turn: count, rules: count, version: count, config: digest }),
  step: shape(
    { path: text, attempts: count, ms: whole, outcome },
    { input: digest, stream: shape({ stream: text, chars: count, digest }), ...used },
  ),
  'once.start': shape(
    { path: text, key: text, timeoutMs: count, place },
    { input: digest, unsynced: one(true) },
  ),
  once: shape(
    { path: text, start: digest, ms: whole, outcome, how: one('ran', 'verified', 'decided', 'assumed') },
    used,
  ),
  ask: shape({ path: text, input: digest, question: json }, { due: count }),
  answer: shape({
    path: text,
    ask: digest,
    answer: any(
      shape({ status: one('answered'), id: text, value: json, by: text }),
      shape({ status: one('expired') }),
    ),
  }),
  receive: shape({ path: text, name: text, id: text, value: json, by: text }),
  drain: shape({ path: text, name: text, items: list(shape({ id: text, value: json, by: text })) }),
  sleep: shape({ path: text, due: count }),
  wake: shape({ path: text }),
  spawn: shape(
    { path: text, child: text, agent: text, given: json, attempts: count },
    { input: digest, due: count, error, at: one('edge', 'browser') },
  ),
  join: shape({ path: text, child: text, outcome }),
  race: shape({ path: text, winner: text, losers: list(text) }, used),
  label: shape({ path: text, label: text }),
  refuse: shape({ id: text, type: text, reason: text }),
  decide: shape({ ...sender, start: digest, decision }),
  interrupt: shape(sender),
  commit: shape({ turn: count, rules: count, version: count, delta: list(json), next }, { by: text }),
  put: shape({ by: text, changes: list(change) }),
  pause: shape({ reason: text, error, actions: list(text) }, { drop: digest, effects }),
  retry: shape(sender, { drop: digest, budget }),
  cancel: shape({ ...sender, reason: text }),
  unwind: shape(
    { ...sender, to: whole, undo: flag, goal: one('rewind', 'cancel') },
    { reason: text, state: json },
  ),
  undo: shape({ path: text, start: digest, outcome }, used),
  rewind: shape({ ...checkpoint, ...sender, version: count, to: shape(head) }, { keys: list(list(keyNote)) }),
  snapshot: shape(
    { ...noted, fold: json, kept: list(shape({ ...noted, entry: shape(head) }, notedToo)) },
    { ...notedToo, gone: shape({ before: count, but: list(digest) }) },
  ),
  edit: shape({ by: text, delta: list(json) }),
  migrate: shape({ from: count, to: count, config: digest, delta: list(json) }),
}

/**
 * Checks the bodies of entries: of those that come from elsewhere or from storage before anything is made of them, of those
 * that are about to be sealed since other hosts would refuse them for ever. Kinds of a later Waystone are not known here, and kept
 * as they are. Throws `entry_refused`.
 */
export function checkBodies(entries: readonly Pick<Entry, 'run' | 'seq' | 'kind' | 'body'>[]): void {
  const wrong = entries.find(({ kind, body }) => !isBody(kind, body))
  if (wrong === undefined) return
  throw new WaystoneError(
    'entry_refused',
    `entry ${String(wrong.seq)} of run ${wrong.run} was refused: its body is none of an entry "${wrong.kind}"`,
    { run: wrong.run },
  )
}

function isBody(kind: unknown, body: unknown): boolean {
  return typeof kind === 'string' && (!Object.hasOwn(forms, kind) || forms[kind as keyof Bodies](body))
}

/** A field that the object itself has: what it inherits is none of it. */
function fieldOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}
