import {
  defineAgent,
  done,
  newId,
  Runtime,
  type AnyAgent,
  type Live,
  type LogStore,
  type RuntimePorts,
  type WatchEvent,
} from '@waystone/core'
import { prove } from '../../../packages/core/src/engine/rehearsal.ts'
import { configDigest, openTurn } from '../../../packages/core/src/runtime/open-turn.ts'
import { RunLog } from '../../../packages/core/src/log/run-log.ts'
import { browserChannel } from '../../../packages/browser/src/platform/browser-channel.ts'
import { browserClock } from '../../../packages/browser/src/platform/browser-clock.ts'
import { browserLocks } from '../../../packages/browser/src/platform/browser-locks.ts'
import { browserRandom } from '../../../packages/browser/src/platform/browser-random.ts'
import { openIndexedDb } from '../../../packages/browser/src/store/open-indexed-db.ts'
import { anything } from './anything.ts'
import { answerWith } from './ask-worker.ts'
import type { EngineRequest, EngineTimes } from './engine-messages.ts'

const replaysCount = 9

async function measure({ steps, items }: EngineRequest): Promise<EngineTimes> {
  const name = `engine-${newId(browserRandom)}`
  const storage = await openIndexedDb(name)
  let appendMs = 0
  const store: LogStore = {
    ...storage.store,
    async append(run, append) {
      const from = performance.now()
      try {
        return await storage.store.append(run, append)
      } finally {
        appendMs += performance.now() - from
      }
    },
    close: async () => undefined,
  }
  const times: { whole: number; append: number }[] = []
  const agent = defineAgent({
    name: 'stepper',
    version: 1,
    inbox: { end: anything },
    initial: () => ({ sum: 0 }),
    async turn(ctx, state) {
      let sum = 0
      for (let n = 0; n < steps; n += 1) {
        const before = appendMs
        const from = performance.now()
        sum += await ctx.step(`step ${String(n)}`, () => n)
        times.push({ whole: performance.now() - from, append: appendMs - before })
      }
      await ctx.receive('end')
      state.sum = sum
      return done(sum)
    },
  })
  const mapper = defineAgent({
    name: 'mapper',
    version: 1,
    initial: () => ({ sum: 0 }),
    async turn(ctx, state) {
      const all = Array.from({ length: items }, (_, n) => n)
      const results = await ctx.map('each', all, { key: String, concurrency: 100 }, (c, n) =>
        c.step('one', () => n),
      )
      state.sum = results.length
      return done(results.length)
    },
  })
  const open = (agents: readonly AnyAgent[]): Promise<Runtime> => {
    const ports: RuntimePorts = {
      me: 'bench' as never,
      place: 'browser',
      store,
      tails: storage.tails,
      snapshots: storage.snapshots,
      blobs: storage.blobs,
      inbox: storage.inbox,
      streams: storage.streams,
      agents,
      clock: browserClock(),
      random: browserRandom,
      locks: browserLocks(name),
      channel: browserChannel(name),
    }
    return Runtime.open(ports)
  }
  /** Resolves when a run waits, or has ended. Views are made in the page, so none is made here. */
  const until = (runtime: Runtime, run: string, phase: Live['phase']): Promise<void> =>
    new Promise((resolve, reject) => {
      let wasRunning = false
      const hear = (event: WatchEvent): void => {
        if (event.type !== 'live') return
        if (wasRunning && event.live.phase === phase) resolve()
        wasRunning ||= event.live.phase !== 'idle'
      }
      runtime.watch(run as never, hear).catch(reject)
    })

  const first = await open([agent])
  await until(first, await first.start('stepper', null, { id: 'steps' }), 'waiting')
  await first.close()
  const stepTimes = times.slice(0, steps)

  const resumeFrom = performance.now()
  const second = await open([agent])
  await until(second, 'steps', 'waiting')
  const resume = performance.now() - resumeFrom
  await second.close()

  const log = await RunLog.open('steps' as never, {
    store,
    snapshots: storage.snapshots,
    blobs: storage.blobs,
    now: () => Date.now(),
  })
  const replays: number[] = []
  for (let n = 0; n < replaysCount; n += 1) {
    const from = performance.now()
    const end = await prove(agent, openTurn(log.mustFold(), configDigest(agent)), {
      clock: browserClock(),
      place: 'browser',
    })
    replays.push(performance.now() - from)
    if (end.type !== 'caught up') throw new Error(`the replay ended as ${end.type}`)
  }

  const third = await open([mapper])
  const mapFrom = performance.now()
  await until(third, await third.start('mapper', null, { id: 'map' }), 'idle')
  const whole = performance.now() - mapFrom
  const map = await RunLog.open('map' as never, {
    store,
    snapshots: storage.snapshots,
    blobs: storage.blobs,
    now: () => Date.now(),
  })
  if (map.mustFold().status !== 'done') throw new Error(`the map ended as ${map.mustFold().status}`)
  const entries = map.mustFold().head.seq + 1
  await third.close()
  await storage.store.close()
  indexedDB.deleteDatabase(name)
  return { steps: stepTimes, replays, resume, map: { whole, entries } }
}

answerWith(measure)
