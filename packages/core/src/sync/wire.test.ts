import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Digest, OwnerId } from '../ids.ts'
import type { Successor } from '../ports/remote.ts'
import type { WatchEvent } from '../ports/watch.ts'
import { utf8 } from '../state/digest.ts'
import {
  claimJson,
  frameOf,
  headText,
  joinLines,
  parseClaim,
  parseFrame,
  parseHead,
  parseInboxItem,
  parseSuccessor,
  splitLines,
  successorJson,
} from './wire.ts'

const digest = 'ab'.repeat(32) as Digest
const head = { seq: 7, digest }
const successor: Successor = {
  owner: 'phone' as OwnerId,
  place: 'browser',
  proof: { head, version: 2, rules: 1, open: [{ path: '0/a', family: 'step', input: digest }] },
}
const item = { id: 'one', by: 'me', time: 1 }

describe('lines on the wire', () => {
  it('come back as they were, empty ones too', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (lines) => {
        const without = lines.map((line) => line.filter((byte) => byte !== 10))
        expect(splitLines(joinLines(without))).toEqual(without)
      }),
    )
  })

  it('that were cut off are refused', () => {
    expect(() => splitLines(utf8('{"a":1}\n{"b"'))).toThrow(/line feed/)
  })
})

describe('what comes from outside', () => {
  it('a head survives its text', () => {
    expect(parseHead(headText({ seq: 7, digest }))).toEqual({ seq: 7, digest })
    expect(parseHead(headText(undefined))).toBeUndefined()
    for (const text of ['', '7', `7:${'x'.repeat(64)}`, `-1:${digest}`, 7, null])
      expect(() => parseHead(text)).toThrow()
  })

  it('a claim survives its JSON', () => {
    const claim = {
      base: { seq: 7, digest },
      epoch: 2,
      owner: 'laptop' as never,
      place: 'browser',
      reason: 'moved',
      proof: { head: { seq: 7, digest }, version: 1, rules: 1 },
    } as const
    expect(parseClaim(JSON.parse(JSON.stringify(claimJson(claim))))).toEqual(claim)
  })

  it('inbox items keep their known fields only', () => {
    expect(parseInboxItem({ ...item, type: 'message', name: 'hint', value: 1, owner: 'edge' })).toEqual({
      ...item,
      type: 'message',
      name: 'hint',
      value: 1,
    })
    const rewind = { ...item, type: 'rewind', seq: 3, undo: true, state: null, turn: 1 }
    expect(parseInboxItem({ ...rewind, to: 0 })).toEqual(rewind)
    expect(() => parseInboxItem({ ...rewind, turn: -1 })).toThrow()
    expect(parseInboxItem({ ...item, type: 'answer', ask: digest, value: null })).toEqual({
      ...item,
      type: 'answer',
      ask: digest,
      value: null,
    })
  })

  it('a frame of a later Waystone is passed over, a malformed one refused', () => {
    expect(parseFrame('{"type":"something new"}')).toBeUndefined()
    for (const frame of [
      '',
      '{',
      '[]',
      'null',
      '{"type":"lines","from":-1,"lines":[]}',
      '{"type":"lines","from":0,"lines":[1]}',
    ]) {
      expect(() => parseFrame(frame)).toThrow()
    }
  })

  it('frames come back as they were', () => {
    const events: readonly WatchEvent[] = [
      { type: 'lines', from: 3, lines: [utf8('{"a":"ü"}')] },
      { type: 'stream', stream: '0/draft', at: 4, text: 'word' },
      { type: 'replaced', keep: 2 },
      { type: 'live', live: { phase: 'running', calls: [] } },
      { type: 'inbox' },
      { type: 'wanted', by: successor, ms: 5 },
      { type: 'held', head },
    ]
    expect(events.map((event) => parseFrame(frameOf(event)))).toEqual(events)
    expect(parseSuccessor(successorJson(successor))).toEqual(successor)
    const open = Array.from({ length: limits.openCallsMax + 1 }, () => ({ path: '0/a', family: 'step' }))
    const proof = { head: headText(head), version: 2, rules: 1 }
    expect(parseSuccessor({ owner: 'phone', place: 'page', proof })).toMatchObject({ place: 'page' })
    const more = [{ open }, { open: [{ path: '0/a', family: 'race' }] }, { open: [{ family: 'step' }] }]
    const wrong = [...more.map((one) => ({ ...proof, ...one })), {}]
    for (const one of wrong)
      expect(() => parseSuccessor({ owner: 'phone', place: 'page', proof: one })).toThrow()
    expect(() => parseSuccessor({ owner: 'phone', place: 'moon', proof })).toThrow()
  })

  it('whatever it is, is parsed or refused with a code: nothing else is thrown', () => {
    const parsers = [parseHead, parseClaim, parseInboxItem, parseFrame]
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.json(),
          fc.record({
            id: fc.string(),
            by: fc.string(),
            time: fc.nat(),
            type: fc.constantFrom('answer', 'decide', 'message'),
          }),
        ),
        (value) => {
          for (const parse of parsers) {
            try {
              parse(value)
            } catch (error) {
              expect(isWaystoneError(error)).toBe(true)
            }
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
