import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AnyAgent } from '../engine/agent.ts'
import { run } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { blockersOf, rehearse } from './blockers.ts'
import { agentOf, changed, programs, type Program } from './branches.test-support.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'

/** The lines of a program that was run to its end. */
async function linesOf(program: Program): Promise<readonly Uint8Array[]> {
  const { storage, log } = await started()
  await new RunHost(
    log,
    portsOf(storage, () => agentOf(program)),
  ).run()
  return log.lines(0)
}

/** A log of the first lines of another one. */
async function logOf(lines: readonly Uint8Array[]) {
  const storage = memoryStorage()
  await storage.store.append(run, { base: undefined, lines, durability: 'relaxed' })
  return { storage, log: await RunLog.open(run, { ...storage, now: () => Date.now() }) }
}

/** A clock for which any wait is short: a replay that stands still is over at once. */
const hurried = { ...testClock, wait: () => testClock.task() }
const target = (agent: AnyAgent) => ({ clock: hurried, place: 'browser', agent: () => agent }) as const

/** Of a log that another host has ended in the middle: rehearsed after some lines, and gone on with after some more. */
async function goesOn(lines: readonly Uint8Array[], agent: AnyAgent, rehearsedAt: number | undefined) {
  const { storage, log } = await logOf(lines.slice(0, rehearsedAt ?? lines.length))
  const clock = { ...testClock, wait: () => testClock.task() }
  const target = { clock, place: 'browser', agent: () => agent } as const
  const rehearsal = rehearsedAt === undefined ? undefined : (await rehearse(log.mustFold(), target)).rehearsal
  if (rehearsedAt !== undefined) await log.adopt(lines.slice(rehearsedAt))
  const host = new RunHost(log, { ...portsOf(storage, () => agent), rehearsal })
  await host.run({ letGo: true })
  const entries = await log.entries(lines.length, log.mustFold().head.seq)
  const added = entries.map(({ kind, body }) => [
    kind,
    'path' in body ? body.path : 'reason' in body ? body.reason : null,
  ])
  const { status, result } = log.mustFold()
  return { status, result, added: added.map((one) => JSON.stringify(one)).toSorted() }
}

it('whoever goes on from a replay comes to the same as from one of its own, whatever was recorded since and whatever the code', async () => {
  let [rehearsed, moved] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      programs,
      fc.nat(4),
      programs,
      fc.nat(),
      fc.nat(),
      async (program, keep, others, a, b) => {
        const whole = await linesOf(program)
        // Not its end: there is something left to do.
        const [from, to] = [a % (whole.length - 2), b % (whole.length - 2)].toSorted((x, y) => x - y)
        const lines = whole.slice(0, (to ?? 0) + 1)
        let told: string[] = []
        const agent = agentOf(changed(program, keep, others), (what) => told.push(what))
        // What other code cannot replay, a host pauses with after a minute.
        if ((await blockersOf((await logOf(lines)).log.mustFold(), target(agent))).length > 0) return
        told = []
        const anew = await goesOn(lines, agent, undefined)
        const bodies = told.filter((what) => what !== 'turn').toSorted()
        told = []
        const gone = await goesOn(lines, agent, (from ?? 0) + 1)
        expect(gone).toEqual(anew)
        expect(told.filter((what) => what !== 'turn').toSorted()).toEqual(bodies)
        // Once for both.
        if (told.filter((what) => what === 'turn').length > 1) return
        rehearsed += 1
        if (from !== to) moved += 1
      },
    ),
    { numRuns: 150 },
  )
  expect(rehearsed).toBeGreaterThan(20)
  expect(moved).toBeGreaterThan(20)
})

const one: Program = [[{ kind: 'step', input: 1, ms: 1 }]]

it('a replay of other code, or of what the log has not become, is not gone on from', async () => {
  const lines = (await linesOf(one)).slice(0, 2)
  const told: string[] = []
  const agent = agentOf(one, (what) => told.push(what))
  const { storage, log } = await logOf(lines)
  const { rehearsal } = await rehearse(log.mustFold(), target(agent))
  const other = agentOf(one, (what) => told.push(`the other: ${what}`))
  await new RunHost(log, { ...portsOf(storage, () => other), rehearsal }).run()
  expect(told).toEqual(['turn', 'the other: turn', 'the other: step s0'])
  expect(log.mustFold().status).toBe('done')

  const again = await logOf(lines)
  const { rehearsal: ofElse } = await rehearse(again.log.mustFold(), target(agent))
  // The same turn of a run that has begun again.
  const fresh = await started()
  told.length = 0
  await new RunHost(fresh.log, { ...portsOf(fresh.storage, () => agent), rehearsal: ofElse }).run()
  expect(told).toEqual(['turn', 'step s0'])
})

it('a host that never comes to the turn drops it: the turn hears that it is over', async () => {
  const { storage, log } = await started()
  const signals: AbortSignal[] = []
  const agent = agentOf(one)
  const watched = {
    ...agent,
    turn: (ctx: never, draft: never) => {
      signals.push((ctx as { signal: AbortSignal }).signal)
      return agent.turn(ctx, draft)
    },
  } as AnyAgent
  const { rehearsal } = await rehearse(log.mustFold(), target(watched))
  const host = new RunHost(log, { ...portsOf(storage, () => watched), rehearsal })
  host.stop()
  await host.run()
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
})
