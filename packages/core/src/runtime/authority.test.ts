import { expect, it } from 'vitest'
import { parseOwnerId, type Digest } from '../ids.ts'
import { sealEntry } from '../log/entry.ts'
import { commit, me, run, start } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { writtenBy } from '../log/written.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { Authority, type AuthorityPorts } from './authority.ts'
import { testClock, testRandom } from './memory-world.test-support.ts'

/** An edge that has what a device has. */
async function edgeOf(device: RunLog, ports: Partial<AuthorityPorts> = {}, storage = memoryStorage()) {
  const log = await RunLog.open(run, { ...storage, now: () => 1 })
  await log.adopt(await device.lines(0))
  const authority = new Authority(log, {
    ...storage,
    clock: testClock,
    random: testRandom,
    agent: () => undefined,
    stopHost: () => Promise.resolve(),
    ownerAlive: () => true,
    ...ports,
  })
  return { log, authority }
}

it('a push does not count on a blob that is removed while it looks for it', async () => {
  const bytes = utf8('an artifact')
  const hash = digestBytes(bytes) as Digest
  const device = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
  const step = { path: '0/a', attempts: 1, ms: 1, outcome: { value: 1 } }
  await device.append(me, () => [start({})])
  const storage = memoryStorage()
  await storage.blobs.put(run, hash, bytes)
  let removing: Promise<unknown> | undefined
  const blobs: AuthorityPorts['blobs'] = {
    ...storage.blobs,
    missing: async (of, hashes) => {
      const missing = await storage.blobs.missing(of, hashes)
      removing ??= log.remove(log.mustFold(), [], [hash])
      return missing
    },
  }
  const { log, authority } = await edgeOf(device, { blobs }, storage)
  const base = device.mustFold().head
  await device.append(me, () => [{ kind: 'step', body: step, blobs: [hash] }])
  expect(await authority.push({ base, lines: await device.lines(1) })).toMatchObject({ ok: true })
  await removing
  expect(await storage.blobs.missing(run, [hash])).toEqual([])
})

it('a push after the end of a run may bring what adds nothing to it, so that device and edge stay the same', async () => {
  const device = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
  const ended = { ...commit(0).body, next: { type: 'done', result: null } } as const
  await device.append(me, () => [start({}), { kind: 'commit', body: ended }])
  const { authority } = await edgeOf(device)
  const base = device.mustFold().head
  const opened = { reason: 'opened', place: 'browser', ...writtenBy(testRandom, undefined) } as const
  await device.append(me, () => [{ kind: 'open', body: opened }])
  expect(await authority.push({ base, lines: await device.lines(2) })).toEqual({
    ok: true,
    head: device.mustFold().head,
  })
  const end = device.mustFold().head
  const step = { path: '0/a', attempts: 1, ms: 1, outcome: { value: 1 } }
  const fields = { ...{ run, seq: end.seq + 1, prev: end.digest, epoch: 0, term: 2, owner: me, time: 1 } }
  const { line } = sealEntry({ kind: 'step', body: step }, fields)
  expect(await authority.push({ base: end, lines: [line] })).toMatchObject({ ok: false, head: end })
})

it('the last entries of an owner and the claim of the device that it hands its run to are stored in one append', async () => {
  const device = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
  await device.append(me, () => [start({})])
  const phone = parseOwnerId('phone')
  const { log, authority } = await edgeOf(device, { isAwaited: (owner) => owner === phone })
  const appended: string[][] = []
  log.listen(({ entries }) => appended.push(entries.map(({ kind }) => kind)))
  const first = device.mustFold().head
  const step = { path: '0/a', attempts: 1, ms: 1, outcome: { value: 1 } }
  await device.append(me, () => [{ kind: 'step', body: step }])
  const { head, epoch } = device.mustFold()
  const tail = { base: first, lines: await device.lines(1) }
  const claim = { base: head, epoch, owner: phone, place: 'browser', reason: 'moved', tail } as const

  // For somebody whom nobody has heard of nothing is stored at all.
  await expect(authority.claim({ ...claim, owner: parseOwnerId('thief') }, me)).rejects.toMatchObject({
    code: 'forbidden',
  })
  expect(appended).toEqual([])

  const lines = await authority.claim(claim, me)
  expect(appended).toEqual([['step', 'claim']])
  expect(log.mustFold()).toMatchObject({ owner: phone, epoch: epoch + 1 })
  await device.adopt(lines)
  expect(device.mustFold().head).toEqual(log.mustFold().head)
  await expect(authority.claim(claim, me)).rejects.toMatchObject({ code: 'forbidden' })
})
