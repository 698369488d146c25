import type { Entry } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { fromTheStart, startOfNewest, timelineOf } from './timeline.ts'

/** What of an entry the timeline reads. */
function entry(seq: number, kind: string, body: object): Entry {
  return {
    seq,
    kind,
    body,
    digest: `digest ${String(seq)}`,
    time: seq,
    epoch: 0,
    term: 1,
  } as unknown as Entry
}

/** A run of so many turns of one step each, which went to the edge in its third. */
function runOf(turns: number): readonly Entry[] {
  const drafts = Array.from({ length: turns }, (_, turn): readonly (readonly [string, object])[] => [
    ...(turn === 2 ? [['claim', { reason: 'moved', place: 'edge' }] as const] : []),
    ['step', { path: `${String(turn)}/rank`, attempts: 1, ms: 1, outcome: { value: null } }],
    ['commit', { turn, next: { type: 'next' } }],
  ])
  return [['start', { place: 'browser' }] as const, ...drafts.flat()].map(([kind, body], seq) =>
    entry(seq, kind, body),
  )
}

describe('timelineOf()', () => {
  it('shows the newest turns with their numbers and where they ran', () => {
    const entries = runOf(30)
    const newest = timelineOf(entries, [], 30, fromTheStart, 3)
    expect(newest.map(({ turn }) => turn)).toEqual([28, 29])
    expect(newest.flatMap(({ rows }) => rows.map(({ place }) => place))).toEqual(Array(4).fill('edge'))
    expect(newest).toEqual(timelineOf(entries, [], 30, fromTheStart).slice(-2))
  })

  it('shows all there is when that is no more', () => {
    const entries = runOf(3)
    expect(startOfNewest(entries, 3)).toBeGreaterThan(0)
    expect(startOfNewest(entries, 4)).toBe(0)
    expect(timelineOf(entries, [], 3, fromTheStart, 4)).toEqual(timelineOf(entries, [], 3, fromTheStart))
  })

  it('goes on from where the entries begin that are there', () => {
    const began = { turn: 7, place: 'browser' } as const
    const later = runOf(20).slice(14)
    const [first] = timelineOf(later, [], 20, began)
    expect([first?.turn, first?.rows[0]?.place]).toEqual([7, 'browser'])
  })
})
