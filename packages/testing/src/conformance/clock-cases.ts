import type { Clock } from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'

/** A clock, and what makes its time pass. */
export interface ClockSubject {
  readonly clock: Clock
  /**
   * Resolves when so many ms have passed for the clock, and what was due by then has run: by another way to wait for a
   * clock of a platform, by setting the time for one of a test.
   */
  pass(ms: number): Promise<void>
}

/** Tasks of which each is clamped to 4 ms would take three times as long as they may. */
const tasksTimed = 60
const tasksMsMax = 80

/** The contract of `Clock`. */
export const clockCases: readonly Case<ClockSubject>[] = [
  {
    name: 'now() is in milliseconds since 1970, and goes on as time does',
    async run(subject) {
      const { clock, pass } = await subject()
      const began = clock.now()
      expectEqual(Number.isFinite(began) && began >= 0, true, 'whether it is a time')
      await pass(60)
      const ms = clock.now() - began
      // Timers of platforms may end a millisecond early.
      expectEqual(ms >= 58 && ms < 10_000, true, `whether ${String(ms)} ms are about 60`)
    },
  },
  {
    name: 'task() resolves after the microtasks of the task in which it was called, those that they begin too',
    async run(subject) {
      const { clock } = await subject()
      const order: string[] = []
      const task = clock.task().then(() => order.push('task'))
      for (let count = 0; count < 100; count += 1) {
        await undefined
        order.push('microtask')
      }
      expectEqual(order.includes('task'), false, 'whether the task came before a microtask')
      await task
      expectEqual(order.indexOf('task'), 100, 'how many microtasks came before')
    },
  },
  {
    name: 'task() resolves in the order of the calls, each in a task of its own',
    async run(subject) {
      const { clock } = await subject()
      const order: string[] = []
      const tasks = ['one', 'two', 'three'].map(async (name) => {
        await clock.task()
        order.push(name)
        for (let count = 0; count < 20; count += 1) await undefined
        order.push(`${name} is over`)
      })
      await Promise.all(tasks)
      const expected = ['one', 'one is over', 'two', 'two is over', 'three', 'three is over']
      expectEqual(order, expected, 'the order')
    },
  },
  {
    name: 'task() is not clamped to 4 ms, however many follow each other',
    async run(subject) {
      const { clock } = await subject()
      let least = Infinity
      // A machine that is busy with something else is slow now and then, not five times in a row.
      for (let round = 0; round < 5; round += 1) {
        const began = clock.now()
        for (let count = 0; count < tasksTimed; count += 1) await clock.task()
        least = Math.min(least, clock.now() - began)
      }
      const what = `whether ${String(tasksTimed)} tasks in ${String(least)} ms are unclamped`
      expectEqual(least < tasksMsMax, true, what)
    },
  },
  {
    name: 'tasks that follow each other for ever do not hold up a wait',
    async run(subject) {
      const { clock, pass } = await subject()
      let isOver = false
      const waiting = clock.wait(20).then(() => (isOver = true))
      const passing = pass(30)
      while (!isOver) await clock.task()
      await Promise.all([waiting, passing])
    },
  },
  {
    name: 'wait() resolves when its time has passed, not at once and not before',
    async run(subject) {
      const { clock, pass } = await subject()
      const began = clock.now()
      let ended: number | undefined
      const waiting = clock.wait(80).then(() => (ended = clock.now()))
      await clock.task()
      expectEqual(ended, undefined, 'when it was over after one task')
      await pass(120)
      await waiting
      expectEqual(
        (ended ?? 0) - began >= 78,
        true,
        `whether 80 ms had passed: ${String((ended ?? 0) - began)}`,
      )
    },
  },
  {
    name: 'wait() of no time and of less than none resolves in a later task',
    async run(subject) {
      const { clock, pass } = await subject()
      for (const ms of [0, -5]) {
        let isOver = false
        const waiting = clock.wait(ms).then(() => (isOver = true))
        for (let count = 0; count < 20; count += 1) await undefined
        expectEqual(isOver, false, `whether waiting for ${String(ms)} ms was over in the same task`)
        await Promise.all([waiting, pass(1)])
      }
    },
  },
  {
    name: 'waits end in the order of their times, not of their calls',
    async run(subject) {
      const { clock, pass } = await subject()
      const order: number[] = []
      const waits = [90, 30, 60].map((ms) => clock.wait(ms).then(() => order.push(ms)))
      await pass(150)
      await Promise.all(waits)
      expectEqual(order, [30, 60, 90], 'the order')
    },
  },
  {
    name: 'wait() ends at once when its signal fires, or has fired, and never rejects',
    async run(subject) {
      const { clock } = await subject()
      const controller = new AbortController()
      const [first, second] = [clock.wait(3_600_000, controller.signal), clock.wait(1, controller.signal)]
      controller.abort(new Error('enough'))
      expectEqual(await first, undefined, 'what a wait gave that was ended')
      expectEqual(await second, undefined, 'what another gave')
      expectEqual(
        await clock.wait(3_600_000, controller.signal),
        undefined,
        'what a wait gave that began later',
      )
    },
  },
  {
    name: 'wait() hears no signal any more when it is over',
    async run(subject) {
      const { clock, pass } = await subject()
      const { signal, listeners } = countedSignal()
      const waits = [clock.wait(10, signal), clock.wait(20, signal)]
      await pass(40)
      await Promise.all(waits)
      expectEqual(listeners(), 0, 'how many listen')
    },
  },
  {
    name: 'wait() for longer than a timer can does not end at once',
    async run(subject) {
      const { clock, pass } = await subject()
      const controller = new AbortController()
      let isOver = false
      const waiting = clock.wait(2 ** 40, controller.signal).then(() => (isOver = true))
      await pass(30)
      expectEqual(isOver, false, 'whether a wait of 35 years was over')
      controller.abort()
      await waiting
    },
  },
]

/** A signal that never fires, and how many listen to it. */
function countedSignal() {
  const { signal } = new AbortController()
  let count = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (type: 'abort', listener: () => void): void => {
    count += 1
    add(type, listener)
  }
  signal.removeEventListener = (type: 'abort', listener: () => void): void => {
    count -= 1
    remove(type, listener)
  }
  return { signal, listeners: () => count }
}
