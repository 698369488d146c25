import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AnyAgent } from '../engine/agent.ts'
import { limits } from '../limits.ts'
import { edgeOwner, type Digest } from '../ids.ts'
import { me } from '../log/log.test-support.ts'
import type { Proof } from '../ports/remote.ts'
import { rehearse } from './blockers.ts'
import { agentOf, changed, programs, type Program } from './branches.test-support.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'
import { covers, proofOf } from './successor.ts'

/** The log of a program that was run to its end, up to any of its entries. */
async function ran(program: Program) {
  const { storage, log } = await started()
  const agent = agentOf(program)
  await new RunHost(
    log,
    portsOf(storage, () => agent),
  ).run()
  const whole = log.mustFold().head.seq
  return {
    whole,
    async upTo(seq: number) {
      const fold = await log.foldAt(seq)
      return { fold, mustFold: () => fold, entries: log.entries.bind(log) }
    },
  }
}

/** A clock for which any wait is short: a replay that stands still is over at once. */
const hurried = { ...testClock, wait: () => testClock.task() }
const target = (agent: AnyAgent) => ({ clock: hurried, place: 'browser', agent: () => agent }) as const

describe('a proof of an earlier head', () => {
  it('does for what was added when other code replays that, too, whatever it does afterwards', async () => {
    let [covered, counted] = [0, 0]
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(3), programs, async (program, keep, others) => {
        const { whole, upTo } = await ran(program)
        const agent = agentOf(changed(program, keep, others))
        for (let seq = 0; seq < whole; seq += 1) {
          const { fold } = await upTo(seq)
          const { blockers, open } = await rehearse(fold, target(agent))
          if (blockers.length > 0) continue
          const proof = proofOf(fold, agent, open)
          for (let to = seq + 1; to < whole; to += 1) {
            const later = await upTo(to)
            counted += 1
            if (!(await covers(later, proof))) continue
            covered += 1
            expect((await rehearse(later.fold, target(agent))).blockers).toEqual([])
          }
        }
      }),
      { numRuns: 40 },
    )
    expect(covered).toBeGreaterThan(0)
    expect(covered).toBeLessThan(counted)
  })

  it('does for outcomes of calls that it had open, and for who writes; not for a call that begins', async () => {
    const { whole, upTo } = await ran([
      [
        { kind: 'step', input: 1, ms: 1 },
        { kind: 'step', input: 2, ms: 1 },
      ],
    ])
    // Start, turn and the first step, the second, the last, the commit.
    expect(whole).toBe(5)
    const agent = agentOf([[{ kind: 'step', input: 1, ms: 1 }]])
    const { fold } = await upTo(0)
    const { open } = await rehearse(fold, target(agent))
    const proof = proofOf(fold, agent, open)
    expect(proof).toMatchObject({
      head: fold.head,
      version: 1,
      open: [{ path: '0/all/b0/s0', family: 'step' }],
    })
    const isCovered = async (to: number, by: Proof = proof) => covers(await upTo(to), by)
    expect([await isCovered(0), await isCovered(2), await isCovered(3)]).toEqual([true, true, false])
    const open0 = proof.open?.[0]
    const withOpen = (change: object): Proof => ({ ...proof, open: open0 ? [{ ...open0, ...change }] : [] })
    const other = 'f'.repeat(64) as Digest
    expect(await isCovered(2, withOpen({ input: other }))).toBe(false)
    expect(await isCovered(2, withOpen({ family: 'once' }))).toBe(false)
    expect(await isCovered(2, { ...proof, rules: proof.rules + 1 })).toBe(false)
    expect(await isCovered(2, { ...proof, head: { ...proof.head, digest: other } })).toBe(false)
    // A log that is shorter than what was proved is another one.
    expect(await covers(await upTo(0), { ...proof, head: { seq: 3, digest: other } })).toBe(false)
  })

  it('a new owner, and an opening, change nothing of a turn', async () => {
    const { log } = await started()
    const agent = agentOf([[{ kind: 'step', input: 1, ms: 1 }]])
    const proof = proofOf(log.mustFold(), agent, [])
    const written = { nonce: 'n', sdk: '0' }
    await log.append(edgeOwner, () => [
      { kind: 'claim', body: { reason: 'moved', place: 'edge', from: me, ...written } },
    ])
    await log.append(edgeOwner, () => [
      { kind: 'open', body: { reason: 'opened', place: 'edge', ...written } },
    ])
    expect(await covers(log, proof)).toBe(true)
  })
})

it('a proof names no more calls than a request carries', async () => {
  const { log } = await started()
  const agent = agentOf([])
  const calls = Array.from({ length: 1_000 }, (_, number) => ({
    path: `0/${'long '.repeat(30)}${String(number)}`,
    family: 'step' as const,
    start: undefined,
    input: undefined,
  }))
  const { open = [] } = proofOf(log.mustFold(), agent, calls)
  expect(open.length).toBeGreaterThan(0)
  expect(JSON.stringify(open).length).toBeLessThan(limits.openCallsCharsMax + limits.openCallsMax + 2)
  expect(open.length).toBeLessThanOrEqual(limits.openCallsMax)
})
