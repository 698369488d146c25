import { parseRunId, sealEntry, socketProtocols, type RunId } from '@waystone/core'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { openRawSocket, tokenProtocol, type RawSocket } from '../harness/raw-socket.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

// A run of the tests has three entries.
const quota = {
  ...{ entriesMax: 3, bytesMax: 400_000, blobBytesMax: 250_000, runsMax: 4 },
  ...{ socketsMax: 2, tenantSocketsMax: 3 },
}

let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld({ QUOTA: JSON.stringify(quota) })
})
afterAll(() => world.close())

type Bytes = Uint8Array<ArrayBuffer>
const bytesOf = (count: number): Bytes => Uint8Array.from(randomBytes(count))
const hashOf = (bytes: Bytes): string => createHash('sha256').update(bytes).digest('hex')

/** Puts a blob of random bytes, or the one that is given. Tells what became of it. */
async function putBlob(run: RunId, bytes: number | Bytes, tenant = 'acme'): Promise<string | undefined> {
  const body = typeof bytes === 'number' ? bytesOf(bytes) : bytes
  const put = { method: 'PUT', body }
  return (await world.ask(`/v1/runs/${run}/blobs/${hashOf(body)}`, await world.token({ tenant }), put)).code
}

it('a run over its quota takes nothing more from devices, and keeps what it has', async () => {
  const run = parseRunId('ana.full')
  const { text, head } = await world.begin('acme', run)
  const token = await world.token()
  const push = (body: string, base: string) =>
    world.ask(`/v1/runs/${run}/entries`, token, { method: 'POST', body, headers: { 'waystone-base': base } })
  // What is stored already may be sent again: nobody knows whether the answer was lost.
  expect((await push(text, 'none')).code).toBeUndefined()
  const at = { run, seq: 3, prev: head.digest, epoch: 0, term: 1, owner: laptop, time: 1 }
  const { line } = sealEntry({ kind: 'interrupt', body: { id: 'i', by: 'ana' } }, at)
  const fourth = `${new TextDecoder().decode(line)}\n`
  expect((await push(fourth, `2:${head.digest}`)).code).toBe('limit_exceeded')

  const codes: (string | undefined)[] = []
  for (let blob = 0; blob < 20; blob++) codes.push(await putBlob(run, 50_000))
  expect(codes[0]).toBeUndefined()
  expect(codes.at(-1)).toBe('limit_exceeded')
  expect((await world.ask(`/v1/runs/${run}/entries?from=0`, token)).text).toBe(text)
})

it('the blobs of a run in the bucket have a quota of their own, and one that is there may come again', async () => {
  const run = parseRunId('ana.large')
  await world.begin('acme', run)
  const first = Uint8Array.from(randomBytes(100_000))
  expect([await putBlob(run, first), await putBlob(run, 100_000)]).toEqual([undefined, undefined])
  expect(await putBlob(run, 100_000)).toBe('limit_exceeded')
  expect(await putBlob(run, first)).toBeUndefined()
  // What was refused takes no room.
  expect(await putBlob(run, 50_000)).toBeUndefined()
  expect(await putBlob(run, 66_000)).toBe('limit_exceeded')
})

it('blobs that come at the same time are counted before they are there', async () => {
  const run = parseRunId('ana.busy')
  const codes = await Promise.all(Array.from({ length: 6 }, () => putBlob(run, 100_000, 'hasty')))
  expect(codes.filter((code) => code === undefined)).toHaveLength(2)
  expect(new Set(codes)).toEqual(new Set([undefined, 'limit_exceeded']))
})

it('blobs that another run gives count as those do that a device brings', async () => {
  const tenant = 'sharing'
  const [one, other, taker] = ['one', 'other', 'taker'].map((name) => parseRunId(`ana.${name}`))
  const share = async (from: RunId | undefined, blobs: readonly Bytes[]) => {
    const body = JSON.stringify({ from, hashes: blobs.map(hashOf) })
    const init = { method: 'POST', body }
    return world.ask(`/v1/runs/${String(taker)}/blobs/share`, await world.token({ tenant }), init)
  }
  const blobs = [100_000, 100_000, 66_000].map(bytesOf)
  for (const blob of blobs.slice(0, 2)) expect(await putBlob(one as RunId, blob, tenant)).toBeUndefined()
  for (const blob of blobs.slice(2)) expect(await putBlob(other as RunId, blob, tenant)).toBeUndefined()
  expect((await share(one, blobs.slice(0, 2))).text).toBe('{"hashes":[]}')
  expect((await share(other, blobs.slice(2))).code).toBe('limit_exceeded')
  const at = `/v1/runs/${String(taker)}/blobs/${hashOf(blobs[2] as Bytes)}`
  expect((await world.ask(at, await world.token({ tenant }))).code).toBe('blob_missing')
  // What it has already may be given again.
  expect((await share(one, blobs.slice(0, 2))).text).toBe('{"hashes":[]}')
})

it('no more sockets follow a run than may, until one of them leaves', async () => {
  const run = parseRunId('ana.followed')
  await world.begin('acme', run)
  const token = await world.token()
  const follow = (device: string): RawSocket =>
    openRawSocket(`${world.edge.process.url}/v1/runs/${run}/live?device=${device}`, {
      protocols: ['waystone', tokenProtocol(token)],
    })
  const [one, other] = [follow('one'), follow('other')]
  await Promise.all([one.opened, other.opened])
  await expect(follow('third').opened).rejects.toThrow('not let in')
  one.close()
  await one.closed
  await poll(() => follow('third').opened.catch(() => undefined), {
    timeoutMs: 30_000,
    message: () => 'the place of a socket that has left is not free',
  })
  other.close()
})

it('a tenant has no more sockets than it may, of one run or of many; what is followed over one of them is no other', async () => {
  const runs = ['1', '2', '3'].map((number) => parseRunId(`ana.${number}`))
  const opening = async (tenant: string) => {
    for (const run of runs) await world.begin(tenant, run)
    const token = await world.token({ tenant })
    return (device: string, protocol: string, run = runs[0]): RawSocket =>
      openRawSocket(`${world.edge.process.url}/v1/runs/${String(run)}/live?device=${device}`, {
        protocols: [protocol, tokenProtocol(token)],
      })
  }
  const open = await opening('listening')
  const shared = open('one', socketProtocols.runs)
  const alone = open('other', socketProtocols.run)
  await Promise.all([shared.opened, alone.opened])
  shared.send(`1 follow ${String(runs[1])} 0`)
  await shared.until((text) => text === '1 open')
  const third = open('third', socketProtocols.run, runs[1])
  await third.opened
  await expect(open('fourth', socketProtocols.runs, runs[2]).opened).rejects.toThrow('not let in')
  // Others are not concerned.
  const theirs = (await opening('elsewhere'))('one', socketProtocols.runs)
  await theirs.opened

  // What goes over one that is counted is what goes over any.
  alone.send('ping')
  await alone.until((text) => text === 'pong')
  const left = [shared, alone, third]
  for (const [at, protocol] of [socketProtocols.run, socketProtocols.runs, socketProtocols.run].entries()) {
    left[at]?.close()
    await left[at]?.closed
    const next = await poll(
      async () => {
        const socket = open(`next-${String(at)}`, protocol, runs[2])
        return socket.opened.then(
          () => socket,
          () => undefined,
        )
      },
      { timeoutMs: 30_000, message: () => 'the place of a socket that has left is not free' },
    )
    next.close()
    await next.closed
  }
  theirs.close()
})

it('a tenant with as many runs as it may have gets no other, until one is deleted; others are not concerned', async () => {
  const tenant = 'busy'
  const runs = ['1', '2', '3', '4'].map((number) => parseRunId(`ana.${number}`))
  for (const run of runs) await world.begin(tenant, run)
  const token = await world.token({ tenant })
  const listed = async (): Promise<number> =>
    (JSON.parse((await world.ask('/v1/runs', token)).text) as { runs: readonly unknown[] }).runs.length
  await poll(async () => (await listed()) === 4 || undefined, {
    timeoutMs: 30_000,
    message: async () => `${String(await listed())} runs are listed`,
  })

  const fifth = parseRunId('ana.5')
  await expect(world.begin(tenant, fifth)).rejects.toThrow('limit_exceeded')
  expect((await world.ask(`/v1/runs/${fifth}/entries?from=0`, token)).text).toBe('')
  // One that is there goes on.
  const [first] = runs
  const again = await world.ask(`/v1/runs/${String(first)}/blobs/${'0'.repeat(64)}`, token, {
    method: 'PUT',
    body: 'no such bytes',
  })
  expect(again.code).toBe('request_refused')
  await world.begin('calm', fifth)

  expect((await world.ask(`/v1/runs/${String(first)}`, token, { method: 'DELETE' })).status).toBe(204)
  await world.begin(tenant, fifth)
})

it('a tenant has no more runs than it may when many begin at the same time, and those do not count that did not begin', async () => {
  const tenant = 'rushing'
  const token = await world.token({ tenant })
  const push = (run: string) =>
    world.ask(`/v1/runs/${run}/entries`, token, {
      method: 'POST',
      body: 'no entry\n',
      headers: { 'waystone-base': 'none' },
    })
  for (const run of ['1', '2', '3', '4', '5'])
    expect([run, (await push(`ana.no.${run}`)).code]).toEqual([run, 'entry_refused'])
  const names = Array.from({ length: 12 }, (_, index) => parseRunId(`ana.${String(index)}`))
  const begun = await Promise.allSettled(names.map((name) => world.begin(tenant, name)))
  expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
  for (const one of begun)
    if (one.status === 'rejected') expect(String(one.reason)).toContain('limit_exceeded')
})
