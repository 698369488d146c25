import { edgeApi, type EdgeApi } from '@waystone/client'
import { isWaystoneError, parseRunId, type ErrorCode } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../harness/free-port.ts'
import { askingRun, type AskingRun } from './asking-run.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.trip')
const params = { path: { run } } as const

let world: SecurityWorld
let begun: AskingRun
let edge: EdgeApi<'waystone-device'>
beforeAll(async () => {
  world = await startSecurityWorld()
  begun = await world.begin('acme', run)
  edge = edgeApi({ url: world.edge.process.url, token: () => world.token(), device: laptop })
})
afterAll(() => world.close())

/** A client without a device. */
function holding(token: string): EdgeApi {
  return edgeApi({ url: world.edge.process.url, token })
}

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | undefined> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error !== undefined && !isWaystoneError(error)) throw error
  return error?.code
}

describe('the client of the edge', () => {
  it('reads the entries and a blob of a run', async () => {
    const query = { from: 0 }
    expect(await edge.get('/v1/runs/{run}/entries', { params: { ...params, query } })).toBe(begun.text)
    const { hash, bytes } = begun.blob
    const blob = await edge.get('/v1/runs/{run}/blobs/{hash}', { params: { path: { run, hash } } })
    expect(new TextDecoder().decode(blob)).toBe(bytes)
    expect(await edge.get('/v1/health')).toEqual({ ok: true })
    expect(await edge.get('/v1/metrics')).toContain('# TYPE')
  })

  it('pushes entries and blobs', async () => {
    const path = { run: parseRunId('ana.pushed') }
    const { text, head } = askingRun(path.run, laptop)
    const [bytes, header] = [new TextEncoder().encode('bytes'), { 'waystone-base': 'none' }]
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    const hash = Buffer.from(digest).toString('hex')
    const blob = { params: { path: { ...path, hash } } }
    await edge.put('/v1/runs/{run}/blobs/{hash}', { ...blob, body: bytes })
    expect(await edge.get('/v1/runs/{run}/blobs/{hash}', blob)).toEqual(bytes)
    const pushed = await edge.post('/v1/runs/{run}/entries', { params: { path, header }, body: text })
    expect(pushed).toEqual({ ok: true, head: `${String(head.seq)}:${head.digest}` })
  })

  it('makes a link, asks and answers by it, lists it and takes it back', async () => {
    const link = await edge.post('/v1/runs/{run}/links', { params, body: { use: 'answer', ms: 60_000 } })
    const boss = holding(link.token)
    const { asks } = await boss.get('/v1/runs/{run}/asks', { params })
    expect(asks).toEqual([{ ask: begun.ask, path: '0/go', question: 'Go on?' }])
    const answer = {
      type: 'answer',
      id: 'boss',
      by: 'the boss',
      time: 0,
      ask: begun.ask,
      value: 'yes',
    } as const
    expect(await boss.post('/v1/runs/{run}/inbox', { params, body: answer })).toBeUndefined()
    const { items } = await edge.get('/v1/runs/{run}/inbox', { params })
    expect(items).toMatchObject([{ type: 'answer', by: `link ${link.id}`, value: 'yes' }])
    const again = { ...answer, id: 'again' }
    expect(await codeOf(edge.post('/v1/runs/{run}/inbox', { params, body: again }))).toBe('answer_taken')

    const { links } = await edge.get('/v1/runs/{run}/links', { params })
    expect(links.map(({ id, use, until }) => ({ id, use, until }))).toEqual([
      { id: link.id, use: 'answer', until: link.until },
    ])
    await edge.delete('/v1/runs/{run}/links/{link}', { params: { path: { run, link: link.id } } })
    expect(await codeOf(boss.get('/v1/runs/{run}/asks', { params }))).toBe('unauthorized')
    expect((await edge.get('/v1/runs/{run}/links', { params })).links).toEqual([])
  })

  it('follows a run as a stream of events until its signal ends it, and goes on after one of them', async () => {
    const path = '/v1/runs/{run}/events'
    const told = async (...after: readonly string[]): Promise<string> => {
      const stop = new AbortController()
      const header = Object.fromEntries(after.map((id) => ['last-event-id', id]))
      const events = await edge.get(path, { params: { ...params, header }, signal: stop.signal })
      const reader = events?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail('no events')
      let text = ''
      while (!text.includes('"kind":"ask"'))
        text += (await reader.read()).value ?? expect.fail('the events ended')
      stop.abort()
      await expect(reader.closed).rejects.toMatchObject({ name: 'AbortError' })
      return text
    }
    const all = await told()
    expect(all).toContain('Go on?')
    const turn = all.split('\n\n').find((event) => event.includes('"kind":"turn"')) ?? expect.fail(all)
    const id = /^id: (.+)$/m.exec(turn)?.[1] ?? expect.fail(turn)
    expect(await told(id)).not.toContain('"kind":"turn"')
    expect(await codeOf(told('99'))).toBe('request_refused')
    const header = { 'last-event-id': `${id};end` }
    expect(await edge.get(path, { params: { ...params, header } })).toBeUndefined()
  })

  it('rejects with the coded error of the edge', async () => {
    const asks = (client: EdgeApi, of: string = run) =>
      codeOf(client.get('/v1/runs/{run}/asks', { params: { path: { run: of } } }))
    expect(await asks(holding('forged'))).toBe('unauthorized')
    expect(await asks(holding(await world.token({ runs: ['ana.other'] })))).toBe('forbidden')
    expect(await asks(holding(await world.token({ operations: ['delete'] })))).toBe('forbidden')
    expect(await asks(edge, 'ana.unheard-of')).toBe('run_unknown')
    expect(await asks(edge, 'no run id')).toBe('input_refused')
    const refused = edge.post('/v1/runs/{run}/links', { params, body: { use: 'read', ms: 1 } })
    await expect(refused).rejects.toMatchObject({
      name: 'WaystoneError',
      code: 'request_refused',
      message: expect.stringContaining('`ms`'),
    })
    const device = { header: { 'waystone-device': laptop } }
    const bob = holding(await world.token({ subject: 'bob' }))
    expect(await codeOf(bob.get('/v1/runs/{run}/inbox', { params: { ...params, ...device } }))).toBe(
      'forbidden',
    )
  })

  it('rejects with `unreachable` when nothing answers', async () => {
    const nobody = edgeApi({ url: `http://127.0.0.1:${String(await freePort())}`, token: 'any' })
    await expect(nobody.get('/v1/runs/{run}/asks', { params })).rejects.toMatchObject({
      name: 'WaystoneError',
      code: 'unreachable',
      actions: ['retry'],
    })
  })
})
