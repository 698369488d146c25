import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Head } from '../ports/log-store.ts'
import { newPace } from './pace.ts'
import { syncModel, syncStep, type SyncEffect, type SyncEvent, type SyncModel } from './step.ts'

const head = (seq: number): Head => ({ seq, digest: String(seq).repeat(64).slice(0, 64) as Digest })

type Fed = readonly [SyncModel, readonly SyncEffect[]]

/** Feeds events one after the other, each at its time; gives the last model and all effects. */
function feedAt(model: SyncModel, ...events: readonly (readonly [number, SyncEvent])[]): Fed {
  return events.reduce<Fed>(
    ([before, effects], [now, event]) => {
      const [after, more] = syncStep(before, event, now)
      return [after, [...effects, ...more]]
    },
    [model, []],
  )
}

/** The same, all at one time. */
function feed(model: SyncModel, ...events: readonly SyncEvent[]): Fed {
  return feedAt(model, ...events.map((event) => [0, event] as const))
}
const pushes = (effects: readonly SyncEffect[]): readonly (Head | undefined)[] =>
  effects.flatMap((effect) => (effect.type === 'push' ? [effect.base] : []))

describe('syncStep()', () => {
  it('pushes from the last acknowledged entry when the log grows', () => {
    const [model, effects] = feed(syncModel(head(3), head(3)), {
      type: 'appended',
      head: head(5),
      urgent: false,
    })
    expect(effects).toEqual([{ type: 'push', base: head(3) }])
    expect(model.doing).toBe('pushing')
  })

  it('has one push under way, and sends what came meanwhile in the next', () => {
    const [, effects] = feed(
      syncModel(head(0), head(0)),
      { type: 'appended', head: head(1), urgent: false },
      { type: 'appended', head: head(2), urgent: false },
      { type: 'appended', head: head(3), urgent: false },
      { type: 'pushed', pushed: { ok: true, head: head(1) } },
    )
    expect(pushes(effects)).toEqual([head(0), head(1)])
  })

  it('pushes nothing of what the edge itself has sent, and from there on what comes next', () => {
    const follower = syncModel(head(1), head(1))
    const [model, effects] = feed(follower, { type: 'received', head: head(3) })
    expect(pushes(effects)).toEqual([])
    const [, after] = feed(model, { type: 'appended', head: head(4), urgent: false })
    expect(pushes(after)).toEqual([head(3)])
  })

  it('pushes a new run from its first entry', () => {
    const [, effects] = feed(syncModel(head(0)), { type: 'reconciled', local: head(0), acked: undefined })
    expect(pushes(effects)).toEqual([undefined])
  })

  it('waits longer after every failure, and at most 15 s', () => {
    let model = syncModel(head(1), head(0))
    const waits: number[] = []
    for (let time = 0; time < 8; time += 1) {
      const [after, effects] = feed(model, { type: 'failed' }, { type: 'retry' })
      waits.push(...effects.flatMap((effect) => (effect.type === 'wait' ? [effect.ms] : [])))
      model = after
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
  })

  it('pushes nothing while it waits after a failure', () => {
    const [model, effects] = feed(
      syncModel(head(1), head(0)),
      { type: 'failed' },
      { type: 'appended', head: head(2), urgent: false },
    )
    expect(pushes(effects)).toEqual([])
    expect(model.doing).toBe('waiting')
  })

  it('puts the blobs that the edge lacks and does not count the push as done', () => {
    const [model, effects] = feed(
      syncModel(head(0), head(0)),
      { type: 'appended', head: head(1), urgent: false },
      { type: 'pushed', pushed: { ok: false, code: 'blob_missing', hashes: ['a'] } },
    )
    expect(effects.at(-1)).toEqual({ type: 'put blobs', hashes: ['a'] })
    expect(model.acked).toEqual(head(0))
  })

  it('stops pushing when the edge has something else, until the logs were compared', () => {
    const lost = feed(
      syncModel(head(0), head(0)),
      { type: 'appended', head: head(1), urgent: false },
      { type: 'pushed', pushed: { ok: false, code: 'head_moved', head: head(9) } },
      { type: 'appended', head: head(2), urgent: false },
      { type: 'retry' },
    )
    expect(pushes(lost[1])).toEqual([head(0)])
    expect(lost[1].at(-1)).toEqual({ type: 'reconcile' })
    const [, after] = feed(lost[0], { type: 'reconciled', local: head(10), acked: head(9) })
    expect(pushes(after)).toEqual([head(9)])
  })

  it('does not start a second push when the logs are compared during one', () => {
    const [, effects] = feed(
      syncModel(head(0)),
      { type: 'reconciled', local: head(0), acked: undefined },
      { type: 'reconciled', local: head(1), acked: undefined },
    )
    expect(pushes(effects)).toHaveLength(1)
  })

  describe('with a policy', () => {
    const policy = { every: 3, intervalMs: 1_000 }
    const appended = (seq: number, urgent = false) => ({ type: 'appended', head: head(seq), urgent }) as const

    it('pushes when so many entries have gathered', () => {
      const start = syncModel(head(0), head(0), policy)
      const [, two] = feed(start, appended(1), appended(2))
      expect(pushes(two)).toEqual([])
      const [, three] = feed(start, appended(1), appended(2), appended(3))
      expect(pushes(three)).toEqual([head(0)])
    })

    it('pushes when so many turns have ended, and counts anew from there', () => {
      const start = syncModel(head(0), head(0), { every: Infinity, turns: 2, intervalMs: 3_600_000 })
      const ends = (seq: number) => ({ ...appended(seq), turns: 1 })
      const ok = { type: 'pushed', pushed: { ok: true, head: head(3) } } as const
      expect(pushes(feed(start, ends(1), appended(2))[1])).toEqual([])
      const [after, effects] = feed(start, ends(1), appended(2), ends(3), ok)
      expect(pushes(effects)).toEqual([head(0)])
      expect(pushes(feed(after, ends(4))[1])).toEqual([])
      expect(pushes(feed(after, ends(4), ends(5))[1])).toEqual([head(3)])
    })

    it('pushes when the interval is over, which begins with the first entry', () => {
      const start = syncModel(head(0), head(0), policy)
      const [, effects] = feed(start, appended(1), appended(2), { type: 'due' })
      expect(effects.filter(({ type }) => type === 'time')).toEqual([{ type: 'time', ms: 1_000 }])
      expect(pushes(effects)).toEqual([head(0)])
    })

    it('pushes at once what is urgent, and all when somebody waits for it', () => {
      const start = syncModel(head(0), head(0), policy)
      expect(pushes(feed(start, appended(1, true))[1])).toEqual([head(0)])
      expect(pushes(feed(start, appended(1), { type: 'flush' })[1])).toEqual([head(0)])
    })

    it('does not hold back what is urgent on the second page of a push', () => {
      const start = syncModel(head(0), head(0), { every: 100, intervalMs: 3_600_000 })
      const [, effects] = feed(start, appended(50, true), {
        type: 'pushed',
        pushed: { ok: true, head: head(40) },
      })
      expect(pushes(effects)).toEqual([head(0), head(40)])
    })

    it('does not hold back what a failed push has left', () => {
      const start = syncModel(head(0), head(0), policy)
      const [, effects] = feed(start, appended(1, true), { type: 'failed' }, { type: 'retry' })
      expect(pushes(effects)).toEqual([head(0), head(0)])
    })
  })

  describe('with an adaptive policy', () => {
    const start = syncModel(head(0), head(0), { every: Infinity, intervalMs: 'adaptive' }, newPace(0))
    const appended = (seq: number, urgent = false) => ({ type: 'appended', head: head(seq), urgent }) as const
    const pushed = (seq: number): SyncEvent => ({ type: 'pushed', pushed: { ok: true, head: head(seq) } })
    /** One urgent push that took so long, then an entry that waits. */
    const afterPush = (ms: number) =>
      [
        [0, appended(1, true)],
        [ms, pushed(1)],
        [ms, appended(2)],
      ] as const
    const intervals = ([, effects]: Fed): readonly number[] =>
      effects.flatMap((effect) => (effect.type === 'time' ? [effect.ms] : []))

    it('gathers as briefly as it may before anything is known of what a push costs', () => {
      expect(intervals(feedAt(start, [5_000, appended(1)]))).toEqual([limits.syncIntervalMsMin])
    })

    it.each([
      // sqrt(2 x 50 ms x an hour, which is expected at first, and the 50 ms).
      [50, 18_974],
      [200, 37_948],
      [10, 8_485],
      [10_000, limits.syncIntervalMsMax],
    ])('gathers after a push of %i ms for %i ms', (ms, interval) => {
      expect(intervals(feedAt(start, ...afterPush(ms)))).toEqual([interval])
    })

    it('gathers more briefly after an outage, which counts once however often it was tried', () => {
      const outage = (tries: number): Fed => {
        const failures = Array.from({ length: tries }, (_, index): [number, SyncEvent][] => [
          [index, { type: 'failed' }],
          [index, { type: 'retry' }],
        ])
        const events = [[0, appended(1, true)], ...failures.flat(), [100, pushed(1)]] as [number, SyncEvent][]
        return feedAt(start, ...events, [100, appended(2)])
      }
      const [once] = intervals(outage(1))
      expect(once).toBeLessThan(intervals(feedAt(start, ...afterPush(100)))[0] ?? 0)
      expect(outage(5)[0].pace.failures).toBe(1)
    })

    it('gathers more briefly after a host has ended in the middle of its work', () => {
      const [calm] = intervals(feedAt(start, ...afterPush(50)))
      const [shaken] = intervals(feedAt(start, [0, { type: 'recovered' }], ...afterPush(50)))
      expect(shaken).toBe(Math.round((calm ?? 0) / Math.SQRT2))
    })

    it('pushes at once what is urgent, and all when the page is hidden', () => {
      const [gathering] = feedAt(start, ...afterPush(50))
      expect(pushes(feedAt(gathering, [60, appended(3, true)])[1])).toEqual([head(1)])
      expect(pushes(feedAt(gathering, [60, { type: 'flush' }])[1])).toEqual([head(1)])
    })
  })
})
