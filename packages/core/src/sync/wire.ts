import { WaystoneError } from '../errors.ts'
import { parseDigest, parseOwnerId, type Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Budget, Decision, InboxItem } from '../ports/inbox.ts'
import type { Head, Place } from '../ports/log-store.ts'
import type { Claim, Held, OpenCall, Proof, Successor, Tail } from '../ports/remote.ts'
import type { Live, WatchEvent } from '../ports/watch.ts'
import { fromUtf8, utf8 } from '../state/digest.ts'
import type { Json } from '../json.ts'

/** The names of the headers that the wire uses beside standard ones. */
export const headers = {
  /** The position a push follows, or the head a page ends at: `seq:digest`, or `none`. */
  base: 'waystone-base',
  head: 'waystone-head',
  /** The device that asks. */
  device: 'waystone-device',
  /** Present on a page when items wait for the owner that asks. */
  inbox: 'waystone-inbox',
  /** The code of a refusal, which its body has, too. */
  code: 'waystone-code',
  /** How many entries an answer has, or has stored. */
  entries: 'waystone-entries',
  /** The sequence number of the entry after which those are wanted that are asked for: standard, and taken by every edge. */
  after: 'last-event-id',
  /** What an edge takes beside plain lines: `deflate` for `deflatedLines`. */
  accepts: 'waystone-accepts',
} as const

/** The media type of lines that `deflate` made smaller. */
export const deflatedLines = 'application/vnd.waystone.lines+deflate'

/** A head as text: `seq:digest`, or `none`. The inverse of `parseHead`. */
export function headText(head: Head | undefined): string {
  return head === undefined ? 'none' : `${String(head.seq)}:${head.digest}`
}

/** A head from text. Throws `request_refused`. */
export function parseHead(text: unknown): Head | undefined {
  if (text === 'none') return undefined
  const match = typeof text === 'string' ? /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) : null
  if (match === null) throw refused('a head as "seq:digest" or "none"', text)
  return { seq: Number(match[1]), digest: match[2] as Digest }
}

/** Bytes of an inbox item as JSON. */
export function inboxItemBytes(item: InboxItem): number {
  return utf8(JSON.stringify(item)).byteLength
}

/** Lines as a body: each followed by a line feed. The inverse of `splitLines`. */
export function joinLines(lines: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(lines.reduce((sum, line) => sum + line.byteLength + 1, 0))
  let at = 0
  for (const line of lines) {
    whole.set(line, at)
    at += line.byteLength
    whole[at++] = 10
  }
  return whole
}

/** The lines of a body. A last line without a line feed was cut off on its way and is refused. */
export function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  let from = 0
  for (;;) {
    const to = bytes.indexOf(10, from)
    if (to < 0) break
    lines.push(bytes.slice(from, to))
    from = to + 1
  }
  if (from !== bytes.byteLength)
    throw refused(
      'lines that end with a line feed',
      `${String(bytes.byteLength - from)} bytes after the last`,
    )
  return lines
}

/** Checks an inbox item from outside. Throws `request_refused`, `too_large`. */
export function parseInboxItem(value: unknown): InboxItem {
  const item = object(value, 'an inbox item')
  checkInboxItemSize(item)
  return inboxItemOf(item)
}

/** Throws `too_large` for an item that no edge takes. */
export function checkInboxItemSize(item: object): void {
  const text = JSON.stringify(item)
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= limits.inboxItemBytesMax || utf8(text).byteLength <= limits.inboxItemBytesMax) return
  throw new WaystoneError(
    'too_large',
    `an inbox item has at most ${String(limits.inboxItemBytesMax)} bytes of JSON`,
  )
}

/** Checks an inbox item of any size. Throws `request_refused`, `input_refused` for a digest. */
export function inboxItemOf(item: Readonly<Record<string, unknown>>): InboxItem {
  const id = shortText(item['id'], 'an id')
  const by = shortText(item['by'], 'a sender in "by"')
  const time = wholeNumber(item['time'], 'a time')
  const head = {
    id,
    by,
    time,
    ...(item['sealed'] === undefined ? {} : { sealed: parseSealed(item['sealed']) }),
  }
  switch (item['type']) {
    case 'message':
      return { ...head, type: 'message', name: shortText(item['name'], 'a name'), value: json(item['value']) }
    case 'answer':
      return { ...head, type: 'answer', ask: parseDigest(item['ask']), value: json(item['value']) }
    case 'interrupt':
      return { ...head, type: 'interrupt' }
    case 'retry':
      return {
        ...head,
        type: 'retry',
        ...(item['budget'] === undefined ? {} : { budget: parseBudget(item['budget']) }),
      }
    case 'cancel':
      return {
        ...head,
        type: 'cancel',
        reason: typeof item['reason'] === 'string' ? item['reason'] : '',
        ...(item['undo'] === true ? { undo: true } : {}),
      }
    case 'rewind':
      return {
        ...head,
        type: 'rewind',
        seq: wholeNumber(item['seq'], 'a sequence number'),
        ...(item['undo'] === true ? { undo: true } : {}),
        ...(item['state'] === undefined ? {} : { state: json(item['state']) }),
        ...(item['turn'] === undefined ? {} : { turn: wholeNumber(item['turn'], 'a turn') }),
      }
    case 'decide':
      return {
        ...head,
        type: 'decide',
        start: parseDigest(item['start']),
        decision: parseDecision(item['decision']),
      }
    default:
      throw refused('message, answer, interrupt, cancel, retry or decide', item['type'])
  }
}

/** Checks a claim from outside. Throws `request_refused`. */
export function parseClaim(value: unknown): Claim {
  const claim = object(value, 'a claim')
  const base = parseHead(claim['base'])
  if (base === undefined) throw refused('a base', 'none')
  const reason = claim['reason']
  if (reason !== 'moved' && reason !== 'expired' && reason !== 'forced')
    throw refused('moved, expired or forced', reason)
  const proof = claim['proof'] === undefined ? undefined : parseProof(claim['proof'])
  return {
    base,
    epoch: wholeNumber(claim['epoch'], 'an epoch'),
    owner: parseOwnerId(claim['owner']),
    place: parsePlace(claim['place']),
    reason,
    ...(proof ? { proof } : {}),
    ...(claim['lent'] === undefined ? {} : { lent: textOf(claim['lent'], 'lent keys') }),
    ...(claim['tail'] === undefined ? {} : { tail: parseTail(claim['tail']) }),
  }
}

/** A claim as JSON. The inverse of `parseClaim`. */
export function claimJson(claim: Claim): Json {
  const { base, proof, tail, ...rest } = claim
  return {
    ...rest,
    base: headText(base),
    ...(tail ? { tail: { base: headText(tail.base), lines: tail.lines.map(fromUtf8) } } : {}),
    ...(proof ? { proof: proofJson(proof) } : {}),
  }
}

/** Checks a successor from outside. Throws `request_refused`. */
export function parseSuccessor(value: unknown): Successor {
  const successor = object(value, 'a successor')
  return {
    owner: parseOwnerId(successor['owner']),
    place: parsePlace(successor['place']),
    proof: parseProof(successor['proof']),
  }
}

/** A successor as JSON. The inverse of `parseSuccessor`. */
export function successorJson({ proof, ...rest }: Successor): Json {
  return { ...rest, proof: proofJson(proof) }
}

/** Where a run was held, as JSON. The inverse of `parseHeld`. */
export function heldJson({ head, lines }: Held): Json {
  return { head: headText(head), lines: lines.map(fromUtf8) }
}

/** Checks where a run was held; undefined when there is no such run. Throws `request_refused`. */
export function parseHeld(value: unknown): Held | undefined {
  const held = object(value, 'where a run was held')
  const head = parseHead(held['head'])
  return head && { head, lines: linesOf(held['lines'] ?? []) }
}

/** A watch event as a frame of a live connection. The inverse of `parseFrame`. */
export function frameOf(event: WatchEvent): string {
  return JSON.stringify(frameJson(event))
}

function frameJson(event: WatchEvent): object {
  switch (event.type) {
    case 'lines':
      return { ...event, lines: event.lines.map(fromUtf8) }
    case 'wanted':
      return { ...event, by: successorJson(event.by) }
    case 'held':
      return { ...event, head: headText(event.head) }
    default:
      return event
  }
}

/**
 * A frame of a live connection. `undefined` for a type of a later Waystone, which the receiver passes over: everything
 * durable is in the log. Throws `request_refused` for anything malformed.
 */
export function parseFrame(text: unknown): WatchEvent | undefined {
  if (typeof text !== 'string' || text.length > limits.frameCharsMax)
    throw refused(`a frame of at most ${String(limits.frameCharsMax)} characters`, typeof text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refused('a frame of JSON', text.slice(0, 40))
  }
  const frame = object(value, 'a frame')
  switch (frame['type']) {
    case 'lines': {
      const lines = linesOf(frame['lines'])
      return { type: 'lines', from: wholeNumber(frame['from'], 'a sequence number'), lines }
    }
    case 'replaced':
      return { type: 'replaced', keep: wholeNumber(frame['keep'], 'a sequence number') }
    case 'stream':
      if (typeof frame['text'] !== 'string') throw refused('text', frame['text'])
      return {
        type: 'stream',
        stream: String(frame['stream']).slice(0, 2_000),
        at: wholeNumber(frame['at'], 'a position'),
        text: frame['text'],
      }
    case 'live':
      return { type: 'live', live: object(frame['live'], 'live calls') as unknown as Live }
    case 'inbox':
      return { type: 'inbox' }
    case 'wanted':
      return { type: 'wanted', by: parseSuccessor(frame['by']), ms: wholeNumber(frame['ms'], 'a time in ms') }
    case 'held': {
      const head = parseHead(frame['head'])
      if (head === undefined) throw refused('a head', 'none')
      return { type: 'held', head }
    }
    default:
      return undefined
  }
}

function parseBudget(value: unknown): Budget {
  const { steps, ms, cost } = object(value, 'a budget')
  return {
    ...(steps === undefined ? {} : { steps: wholeNumber(steps, 'a number of steps') }),
    ...(ms === undefined ? {} : { ms: wholeNumber(ms, 'a time in ms') }),
    ...(cost === undefined ? {} : { cost: amount(cost) }),
  }
}

function parseDecision(value: unknown): Decision {
  const decision = object(value, 'a decision')
  switch (decision['type']) {
    case 'done':
      return { type: 'done', value: json(decision['value'] ?? null) }
    case 'again':
      return { type: 'again' }
    case 'failed':
      return { type: 'failed', message: String(decision['message'] ?? '').slice(0, 2_000) }
    default:
      throw refused('done, again or failed', decision['type'])
  }
}

function proofJson(proof: Proof): Json {
  const { head, version, rules, open } = proof
  return {
    head: headText(head),
    version,
    rules,
    ...(open ? { open: open.map((call) => ({ ...call })) } : {}),
  }
}

function parseProof(value: unknown): Proof {
  const proof = object(value, 'a proof')
  const head = parseHead(proof['head'])
  if (head === undefined) throw refused('a proven head', 'none')
  return {
    head,
    version: wholeNumber(proof['version'], 'a version'),
    rules: wholeNumber(proof['rules'], 'a rule number'),
    ...(proof['open'] === undefined ? {} : { open: parseOpenCalls(proof['open']) }),
  }
}

function parseOpenCalls(value: unknown): readonly OpenCall[] {
  if (!Array.isArray(value) || value.length > limits.openCallsMax)
    throw refused(`at most ${String(limits.openCallsMax)} open calls`, value)
  return value.map((one) => {
    const { path, family, input } = object(one, 'an open call')
    if (family !== 'step' && family !== 'once') throw refused('step or once', family)
    return {
      path: textOf(path, 'a path'),
      family,
      ...(input === undefined ? {} : { input: parseDigest(input) }),
    }
  })
}

function parseTail(value: unknown): Tail {
  const tail = object(value, 'a tail')
  return { base: parseHead(tail['base']), lines: linesOf(tail['lines']) }
}

function linesOf(value: unknown): readonly Uint8Array[] {
  if (!Array.isArray(value) || !value.every((line) => typeof line === 'string'))
    throw refused('lines of text', value)
  return value.map(utf8)
}

/** Checks a place. Throws `request_refused`. */
function parsePlace(value: unknown): Place {
  if (value === 'browser' || value === 'page' || value === 'edge') return value
  throw refused('browser, page or edge', value)
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw refused(what, value)
}

function json(value: unknown): Json {
  if (value === undefined) throw refused('a value', value)
  return value as Json
}

function parseSealed(value: unknown): NonNullable<InboxItem['sealed']> {
  const sealed = object(value, 'a sealed item')
  return { key: shortText(sealed['key'], 'the id of a key'), box: textOf(sealed['box'], 'a sealed content') }
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw refused(what, value)
}

function wholeNumber(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw refused(what, value)
}

function amount(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw refused('a number from 0 on', value)
}

function shortText(value: unknown, what: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= limits.nameCharsMax) return value
  throw refused(`${what} of 1 to ${String(limits.nameCharsMax)} characters`, value)
}

function refused(expected: string, found: unknown): WaystoneError {
  const text = typeof found === 'string' ? found : (JSON.stringify(found) ?? 'nothing')
  return new WaystoneError('request_refused', `expected ${expected}, found ${text.slice(0, 80)}`)
}
