import { mintToken } from '@waystone/access'
import { parseRunId } from '@waystone/core'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDatabases } from '../harness/edge-databases.ts'
import { poll } from '../harness/poll.ts'
import { openRawSocket, tokenProtocol, type RawSocket } from '../harness/raw-socket.ts'
import type { AskingRun } from './asking-run.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

interface Made {
  readonly id: string
  readonly use: string
  readonly by: string
  readonly until: number
  readonly token: string
}

const run = parseRunId('ana.trip')
const path = `/v1/runs/${run}`
let world: SecurityWorld
let begun: AskingRun
beforeAll(async () => {
  world = await startSecurityWorld()
  begun = await world.begin('acme', run)
})
afterAll(() => world.close())

async function make(body: object, token?: string): Promise<Made> {
  const answer = await world.ask(`${path}/links`, token ?? (await world.token()), {
    method: 'POST',
    body: JSON.stringify(body),
  })
  expect(answer.code, answer.text).toBeUndefined()
  return JSON.parse(answer.text) as Made
}

const answerTo = (ask: string, id: string): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ type: 'answer', ask, value: 'yes', id, by: 'the boss', time: 1 }),
})

function follow(token: string): RawSocket {
  const url = `${world.edge.process.url}${path}/live?device=guest`
  return openRawSocket(url, { protocols: ['waystone', tokenProtocol(token)] })
}

describe('a link to one run', () => {
  it('to read shows the run, and neither answers, writes, shares nor shows another run', async () => {
    const link = await make({ use: 'read' })
    expect((await world.ask(`${path}/entries?from=0`, link.token)).text).toBe(begun.text)
    expect((await world.ask(`${path}/asks`, link.token)).status).toBe(200)
    expect((await world.ask(`${path}/inbox`, link.token, answerTo(begun.ask, 'no'))).code).toBe('forbidden')
    expect((await world.ask(`${path}/links`, link.token)).code).toBe('forbidden')
    expect((await world.ask(path, link.token, { method: 'DELETE' })).code).toBe('forbidden')
    expect((await world.ask('/v1/runs/ana.other/entries?from=0', link.token)).code).toBe('forbidden')
  })

  it('to answer shows what is asked and nothing else, and says in the run who answered', async () => {
    const link = await make({ use: 'answer' })
    const asks = await world.ask(`${path}/asks`, link.token)
    expect(JSON.parse(asks.text)).toEqual({ asks: [{ ask: begun.ask, path: '0/go', question: 'Go on?' }] })
    for (const closed of ['entries?from=0', 'events', `blobs/${begun.blob.hash}`, 'inbox', 'links'])
      expect([closed, (await world.ask(`${path}/${closed}`, link.token)).code]).toEqual([closed, 'forbidden'])
    const stale = await world.ask(`${path}/inbox`, link.token, answerTo('0'.repeat(64), 'stale'))
    expect(stale.code).toBe('ask_unknown')
    for (const item of [
      { type: 'decide', start: begun.ask, decision: { type: 'again' } },
      { type: 'message', name: 'n', value: 1 },
      { type: 'cancel' },
    ]) {
      const body = JSON.stringify({ ...item, id: 'x', by: 'b', time: 1 })
      expect((await world.ask(`${path}/inbox`, link.token, { method: 'POST', body })).code).toBe('forbidden')
    }
    expect((await world.ask(`${path}/inbox`, link.token, answerTo(begun.ask, 'first'))).status).toBe(204)
    const second = await make({ use: 'answer' })
    expect((await world.ask(`${path}/inbox`, second.token, answerTo(begun.ask, 'second'))).code).toBe(
      'answer_taken',
    )
    const inbox = await world.ask(`${path}/inbox`, await world.token())
    expect(JSON.parse(inbox.text)).toMatchObject({
      items: [{ id: 'first', by: `link ${link.id}`, value: 'yes' }],
    })
  })

  it('is listed without its secret, which is stored nowhere', async () => {
    const link = await make({ use: 'read', ms: 60_000 })
    const secret = link.token.split('/').at(-1) ?? ''
    const { text } = await world.ask(`${path}/links`, await world.token())
    expect(text).toContain(link.id)
    expect(text).not.toContain(secret)
    expect(await onDisk(new TextEncoder().encode(secret))).toEqual([])
    expect(JSON.parse(text)).toMatchObject({
      links: expect.arrayContaining([
        expect.objectContaining({ id: link.id, use: 'read', by: 'ana', until: link.until }),
      ]),
    })
  })

  it('taken back lets nobody in any more, and ends the sockets of whoever follows by it, and of nobody else', async () => {
    const [link, other] = [await make({ use: 'read' }), await make({ use: 'read' })]
    const [following, staying] = [follow(link.token), follow(other.token)]
    await Promise.all([following, staying].map((one) => one.until(() => true)))
    const revoke = (id: string) => world.ask(`${path}/links/${id}`, ana, { method: 'DELETE' })
    const ana = await world.token()
    expect((await revoke(link.id)).status).toBe(204)
    expect(await following.closed).toEqual([1008, 'this link was taken back'])
    expect((await world.ask(`${path}/entries?from=0`, link.token)).status).toBe(401)
    expect((await revoke(link.id)).code).toBe('request_refused')
    expect((await world.ask(`${path}/entries?from=0`, other.token)).status).toBe(200)
    const open = await Promise.race([staying.closed, world.ask('/v1/health', undefined)])
    expect(open).toMatchObject({ status: 200 })
    staying.close()
  })

  it('ends by itself', async () => {
    const link = await make({ use: 'read', ms: 1_000 })
    expect((await world.ask(`${path}/entries?from=0`, link.token)).status).toBe(200)
    const isOver = async (): Promise<true | undefined> =>
      (await world.ask(`${path}/entries?from=0`, link.token)).status === 401 || undefined
    await poll(isOver, { timeoutMs: 10_000, message: () => 'a link whose time is over still lets in' })
  })

  it('gives nobody more than whoever made it has, and no more of them than a run may have', async () => {
    const share = await world.token({ operations: ['share'] })
    for (const use of ['read', 'answer']) {
      const body = JSON.stringify({ use })
      expect((await world.ask(`${path}/links`, share, { method: 'POST', body })).code).toBe('forbidden')
    }
    const ana = await world.token()
    for (const body of [
      {},
      { use: 'append' },
      { use: 'read', ms: 0 },
      { use: 'read', ms: 1e12 },
      { use: 'read', ms: '1' },
    ]) {
      const refused = await world.ask(`${path}/links`, ana, { method: 'POST', body: JSON.stringify(body) })
      expect([body, refused.code]).toEqual([body, 'request_refused'])
    }
    const many = parseRunId('ana.many')
    await world.begin('acme', many)
    const codes: unknown[] = []
    for (let made = 0; made <= 100; made++) {
      const body = JSON.stringify({ use: 'read' })
      codes.push((await world.ask(`/v1/runs/${many}/links`, ana, { method: 'POST', body })).code)
    }
    expect(codes.slice(0, 100).every((code) => code === undefined)).toBe(true)
    expect(codes[100]).toBe('limit_exceeded')
  })
})

/** Reads what the edge sends of its events until it ends. */
async function eventsOf(
  token: string,
): Promise<{ readonly text: () => string; readonly ended: Promise<void> }> {
  const response = await fetch(`${world.edge.process.url}${path}/events`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(response.status).toBe(200)
  let text = ''
  const read = async (): Promise<void> => {
    for await (const bytes of response.body ?? []) text += new TextDecoder().decode(bytes as Uint8Array)
  }
  return { text: () => text, ended: read() }
}

describe('an event stream', () => {
  it('ends when its link is taken back, before another word of the run', async () => {
    const link = await make({ use: 'read' })
    const { text, ended } = await eventsOf(link.token)
    // All that it has.
    await poll(() => text().includes('id: 2\n') || undefined, { timeoutMs: 10_000, message: text })
    const before = text()
    const ana = await world.token()
    expect((await world.ask(`${path}/links/${link.id}`, ana, { method: 'DELETE' })).status).toBe(204)
    await ended
    expect(text()).toBe(before)
  })

  it('ends when its token does', async () => {
    const token = await mintToken(
      world.key,
      { tenant: 'acme', runs: [run], operations: ['read'] },
      { lifetime: '2s' },
    )
    const { ended } = await eventsOf(token)
    await ended
    expect((await world.ask(`${path}/entries?from=0`, token)).status).toBe(401)
  })
})

it('who guesses links leaves nothing at the edge: no object, no row', async () => {
  const objects = async (): Promise<number> =>
    (await readdir(world.edge.persistTo, { recursive: true })).filter((name) => name.endsWith('.sqlite'))
      .length
  const before = await objects()
  for (let guess = 0; guess < 10; guess++) {
    const wrong = `link/evil/guessed.${String(guess)}/${'0'.repeat(40)}`
    expect((await world.ask(`/v1/runs/guessed.${String(guess)}/asks`, wrong)).status).toBe(401)
    expect((await world.ask(`${path}/asks`, `link/acme/${run}/${String(guess)}`)).status).toBe(401)
  }
  const counts = await readDatabases(world.edge.persistTo, (database) => {
    const query = "SELECT count(*) AS count FROM sqlite_master WHERE name GLOB 'waystone_*'"
    return (database.prepare(query).get() as { count: number }).count
  })
  expect(counts.filter((count) => count > 0).length).toBeLessThanOrEqual(before)
})

/** The files of the edge that hold these bytes. */
async function onDisk(bytes: Uint8Array): Promise<readonly string[]> {
  const names = await readdir(world.edge.persistTo, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const found: string[] = []
  for (const file of files) if ((await readFile(file)).includes(Buffer.from(bytes))) found.push(file)
  return found
}

describe('a run that was deleted', () => {
  it('is gone for everybody, with its blobs and links, and no device brings it back', async () => {
    const gone = parseRunId('ana.gone')
    const at = `/v1/runs/${gone}`
    const { text, blob } = await world.begin('acme', gone)
    const ana = await world.token()
    const large = new Uint8Array(100_000).fill(7)
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', large)).toString('hex')
    expect((await world.ask(`${at}/blobs/${hash}`, ana, { method: 'PUT', body: large })).status).toBe(204)
    expect((await onDisk(large)).length).toBeGreaterThan(0)
    const made = await world.ask(`${at}/links`, ana, {
      method: 'POST',
      body: JSON.stringify({ use: 'read' }),
    })
    const { token } = JSON.parse(made.text) as Made
    expect((await world.ask(at, ana, { method: 'DELETE' })).status).toBe(204)
    const push = { method: 'POST', body: text, headers: { 'waystone-base': 'none' } }
    expect((await onDisk(large)).length).toBe(0)
    for (let round = 0; round < 2; round++) {
      expect((await world.ask(`${at}/entries?from=0`, ana)).code).toBe('run_deleted')
      expect((await world.ask(`${at}/entries`, ana, push)).code).toBe('run_deleted')
      expect((await world.ask(`${at}/blobs/${blob.hash}`, ana)).code).toBe('run_deleted')
      expect((await world.ask(`${at}/blobs/${hash}`, ana)).code).toBe('run_deleted')
      expect((await world.ask(`${at}/blobs/${hash}`, ana, { method: 'PUT', body: large })).code).toBe(
        'run_deleted',
      )
      expect((await world.ask(`${at}/entries?from=0`, token)).status).toBe(401)
      // It may be deleted again, and is as deleted after the edge was killed.
      expect((await world.ask(at, ana, { method: 'DELETE' })).status).toBe(204)
      if (round === 0) {
        await world.edge.process.kill()
        await world.edge.start()
      }
    }
  })
})
