import { mintToken, type Grant } from '@waystone/access'
import { parseRunId, type RunId } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasTable, runDatabase } from '../harness/edge-databases.ts'
import { poll } from '../harness/poll.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld()
})
afterAll(() => world.close())

/** A request of which the first bytes are there. */
interface Begun {
  /** Sends the rest, and tells what it was answered. */
  end(): Promise<{ readonly status: number; readonly text: string }>
}

/** Begins a request to an object, which has answered another one since then. */
async function begin(
  run: RunId,
  route: string,
  token: string,
  body: object,
  device = laptop,
): Promise<Begun> {
  const text = new TextEncoder().encode(JSON.stringify(body))
  const rest = Promise.withResolvers<void>()
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(text.subarray(0, 10))
      await rest.promise
      controller.enqueue(text.subarray(10))
      controller.close()
    },
  })
  const headers = { authorization: `Bearer ${token}`, 'waystone-device': device }
  const url = `${world.edge.process.url}/v1/runs/${run}/${route}`
  const answer = fetch(url, { method: 'POST', headers, body: stream, duplex: 'half' } as RequestInit)
  expect((await world.ask(`/v1/runs/${run}/asks`, await world.token())).status).toBe(200)
  return {
    async end() {
      rest.resolve()
      const response = await answer
      return { status: response.status, text: await response.text() }
    },
  }
}

const itemOf = (ask: string) => ({ type: 'answer', ask, value: 'yes', id: 'late', by: 'x', time: 1 })

describe('a request whose body comes late', () => {
  it('answers nothing when its link was taken back meanwhile', async () => {
    const run = parseRunId('ana.link')
    const { ask } = await world.begin('acme', run)
    const ana = await world.token()
    const links = `/v1/runs/${run}/links`
    const made = await world.ask(links, ana, { method: 'POST', body: JSON.stringify({ use: 'answer' }) })
    const link = JSON.parse(made.text) as { readonly id: string; readonly token: string }
    const request = await begin(run, 'inbox', link.token, itemOf(ask))
    expect((await world.ask(`${links}/${link.id}`, ana, { method: 'DELETE' })).status).toBe(204)
    expect(await request.end()).toMatchObject({ status: 401 })
    expect(JSON.parse((await world.ask(`/v1/runs/${run}/inbox`, ana)).text)).toEqual({ items: [] })
  })

  it('claims nothing when the time of its token is over', async () => {
    const run = parseRunId('ana.claim')
    const { head } = await world.begin('acme', run)
    const grant: Grant = { tenant: 'acme', subject: 'guest', runs: [run], operations: ['claim'] }
    const token = await mintToken(world.key, grant, { lifetime: '3s' })
    const at = `${String(head.seq)}:${head.digest}`
    const proof = { head: at, version: 1, rules: 1 }
    const claim = { base: at, epoch: 0, owner: 'guest-device', place: 'browser', reason: 'forced', proof }
    const request = await begin(run, 'claim', token, claim, 'guest-device' as typeof laptop)
    await poll(
      async () => ((await world.ask(`/v1/runs/${run}/blockers`, token)).status === 401 ? true : undefined),
      { timeoutMs: 30_000, message: () => 'the token is let in for longer than it says' },
    )
    expect(await request.end()).toMatchObject({ status: 401 })
    const { text } = await world.ask(`/v1/runs/${run}/entries?from=0`, await world.token())
    expect(text).not.toContain('guest-device')
  })

  it('leaves nothing behind in a run that was deleted meanwhile', async () => {
    const run = parseRunId('ana.gone')
    await world.begin('acme', run)
    const ana = await world.token()
    const message = { type: 'message', name: 'n', value: 'a word', id: 'late', by: 'x', time: 1 }
    const request = await begin(run, 'inbox', ana, message)
    expect((await world.ask(`/v1/runs/${run}`, ana, { method: 'DELETE' })).status).toBe(204)
    expect(await request.end()).toMatchObject({ status: 410 })
    await world.edge.process.kill()
    let items: unknown
    await runDatabase(world.edge.persistTo, 'do/waystone-security-RunObject', run, (database) => {
      const table = 'waystone_inbox'
      items = hasTable(database, table) ? database.prepare(`SELECT * FROM ${table}`).all() : []
    })
    await world.edge.start()
    expect(items).toEqual([])
  })
})
