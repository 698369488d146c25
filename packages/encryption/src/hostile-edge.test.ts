import {
  edgeOwner,
  parseRunId,
  RunLog,
  type Cipher,
  type Digest,
  type EntryDraft,
  type OwnerId,
  type RunId,
} from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { describe, expect, it } from 'vitest'
import { lentCipher, userCipher } from './cipher.ts'

// What an edge could try that has the keys of one run, or of one time, and writes to a log what it likes.

const laptop = 'laptop' as OwnerId
const user = { id: 'u', key: new Uint8Array(32).fill(3) }
const mine = userCipher([user])
const identity = {
  ...{ agent: 'diary', version: 1, config: '0'.repeat(64) as Digest, place: 'browser' as const },
  ...{ whenGone: 'offer' as const, leaseMs: 1, nonce: 'n', sdk: '0' },
} as const
const start: EntryDraft = { kind: 'start', body: { ...identity, input: null, state: 'deep' } }
const written = { nonce: 'n', sdk: '0' }
const step = (value: string): EntryDraft => ({
  kind: 'step',
  body: { path: '0/write', attempts: 1, ms: 1, outcome: { value } },
})
/** It says nothing of what was lent. */
const claim = (): EntryDraft => ({
  kind: 'claim',
  body: { reason: 'moved', place: 'edge', from: laptop, ...written },
})

function open(run: RunId, cipher: Cipher = mine, storage = memoryStorage()): Promise<RunLog> {
  return RunLog.open(run, { ...storage, now: () => 1, cipher })
}

/** The keys of entries that are sealed. */
async function keysOf(log: RunLog): Promise<readonly (string | undefined)[]> {
  return (await log.entries(0, 99)).flatMap(({ key }) => (key === undefined ? [] : [key]))
}

/** A log as the edge has it, with some keys that it was lent. */
async function edgeLog(from: RunLog, ...lent: readonly string[]): Promise<RunLog> {
  const keys = new Map(Object.entries(mine.runKeys(from.run, lent)))
  const log = await open(from.run, { ...lentCipher(keys), keyFor: () => lent[0] as string })
  await log.adopt(await from.lines(0))
  return log
}

describe('an edge with some keys', () => {
  const run = parseRunId('tides')
  const begun = async (): Promise<RunLog> => {
    const log = await open(run)
    await log.append(laptop, () => [start, step('before')])
    return log
  }

  it('has none that a device goes on with, whatever its claims say, or whether there is one', async () => {
    const log = await begun()
    await log.append(edgeOwner, () => [claim()])
    await log.append(laptop, () => [claim()])
    await log.append(laptop, () => [step('after')])
    const lending = { reason: 'lending', place: 'browser', ...written } as const
    await log.append(laptop, () => [{ kind: 'open', body: lending }])
    await log.append(laptop, () => [step('after it was refused')])
    expect(await keysOf(log)).toEqual(['u.tides.0', 'u.tides.0', 'u.tides.1', 'u.tides.2'])
  })

  it('cannot bring back one that was given up', async () => {
    const log = await begun()
    await log.append(laptop, () => [claim()])
    await log.append(laptop, () => [step('after')])
    const theirs = await edgeLog(log, 'u.tides.0', 'u.tides.1')
    await expect(theirs.append(edgeOwner, () => [claim(), step('forged')])).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining('given up'),
    })
  })

  it('cannot write to one run with the keys of another', async () => {
    const log = await begun()
    const other = mine.runKeys(run, ['u.other.0'])
    const keys = new Map([...Object.entries(mine.runKeys(run, ['u.tides.0'])), ...Object.entries(other)])
    const forging = { ...lentCipher(keys), keyFor: () => 'u.other.0', isOf: () => true }
    const theirs = await open(run, forging as unknown as typeof mine)
    await theirs.adopt(await log.lines(0))
    await theirs.append(edgeOwner, () => [claim(), step('forged')])
    await expect(log.adopt(await theirs.lines(0))).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining('of another run'),
    })
    expect(log.mustFold().head.seq).toBe(1)
  })

  it('cannot put a run in the open in the place of one that is encrypted', async () => {
    const log = await begun()
    const plain = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
    await plain.append(laptop, () => [start, step('forged')])
    await expect(log.beginAnew(await plain.lines(0), 'the edge has let go')).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining('encrypted'),
    })
    expect(log.mustFold()).toMatchObject({ sealedWith: ['u.tides.0'] })
    const empty = { ...memoryStorage(), now: () => 1, cipher: mine }
    const believing = await RunLog.open(run, empty)
    await believing.adopt(await plain.lines(0))
    const asking = await RunLog.open(run, { ...empty, ...memoryStorage(), onlySealed: true })
    await expect(asking.adopt(await plain.lines(0))).rejects.toMatchObject({ code: 'log_damaged' })
    await asking.adopt(await log.lines(0))
    await log.append(laptop, () => [step('after')])
    expect(await keysOf(log)).toHaveLength(3)
  })
})
