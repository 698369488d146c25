import { describe, expect, it } from 'vitest'
import type { Digest, RunId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { me, run, start } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { keptRelatives, type Relative } from './relatives.ts'
import { RunFamily } from './run-family.ts'

const attempt = (number: number): RunId => `ana.child-${String(number)}` as RunId

/** A run at the edge, which has begun on a device, and whom it has asked what. */
async function parent() {
  const log = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
  const rows = new Map<RunId, Relative>()
  const asked: string[] = []
  const family = new RunFamily({
    relatives: keptRelatives([], {
      put: (relative) => void rows.set(relative.run, relative),
      remove: (gone) => void rows.delete(gone),
    }),
    due: { get: () => undefined, set: () => Promise.resolve(), delete: () => Promise.resolve() },
    ask: async (relative, { type }) => {
      asked.push(`${type} ${relative}`)
      return { isKnown: true }
    },
    clock: { now: () => 1 },
  })
  log.listen(({ entries }, fold) => void family.changed(fold, entries))
  const opened = { log, send: () => Promise.resolve(), childEnded: () => Promise.resolve() }
  const append = async (...drafts: readonly EntryDraft[]): Promise<void> => {
    await log.append(me, () => drafts)
    await family.tell(opened)
  }
  await append(start({}))
  const came = (child: RunId) => family.answer(child, { type: 'came' }, opened)
  const ended = (child: RunId) => family.answer(child, { type: 'ended' }, opened)
  return { rows, asked, family, append, came, ended }
}

const zeros = '0'.repeat(64) as Digest
const spawn: readonly EntryDraft[] = [
  { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: zeros } },
  { kind: 'spawn', body: { path: '0/c', child: attempt(1), agent: 'a', given: null, attempts: 3 } },
]
const cancel: EntryDraft = { kind: 'cancel', body: { id: 'c', by: 'ana', reason: '' } }

describe('the family of a run', () => {
  it('has later attempts at a child that were here before their parent had said that it has one', async () => {
    const { came, append, asked } = await parent()
    expect(await came(attempt(2))).toEqual({ isKnown: true })
    await append(...spawn)
    await came(attempt(3))
    await append(cancel)
    expect(asked.toSorted()).toEqual([1, 2, 3].map((number) => `cancel ${attempt(number)}`))
  })

  it('tells nothing to those of whom their parent never speaks', async () => {
    const { came, append, asked, family, rows } = await parent()
    await came('ana.other-2' as RunId)
    await append(...spawn)
    await append(cancel)
    await family.deleted(run)
    expect(asked).toEqual([`cancel ${attempt(1)}`])
    expect(rows.size).toBe(0)
  })

  it('remembers few of them, none that is the first attempt, and none that has ended', async () => {
    const { came, ended, rows } = await parent()
    await came(attempt(1))
    expect(rows.size).toBe(0)
    for (let number = 2; number < 200; number += 1) await came(`ana.other${String(number)}-2` as RunId)
    expect(rows.size).toBe(100)
    for (const stranger of [...rows.keys()]) await ended(stranger)
    expect(rows.size).toBe(0)
  })
})
