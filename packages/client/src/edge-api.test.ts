import { isWaystoneError, WaystoneError } from '@waystone/core'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { edgeApi } from './edge-api.ts'

/** Something at the address of the edge, which answers as each test says; the edge itself is asked in test/security. */
let answer: (request: IncomingMessage, response: ServerResponse) => void
let heard: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const { method = '', url: path = '', headers } = request
    heard.push({ method, url: path, headers, body: Buffer.concat(parts).toString() })
    answer(request, response)
  })
})
let url = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
})
beforeEach(() => {
  heard = []
  answer = (_, response) => json(response, 200, { asks: [] })
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const asks = '/v1/runs/{run}/asks'
const params = { path: { run: 'ana.trip' } } as const

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body))
}

async function errorOf(call: Promise<unknown>): Promise<WaystoneError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (isWaystoneError(error)) return error
  throw new Error('expected an error of Waystone', { cause: error })
}

describe('edgeApi()', () => {
  it('asks for the token at every request, and names the device when it has one', async () => {
    let asked = 0
    const edge = edgeApi({ url: `${url}/`, token: async () => `token-${String(++asked)}`, device: 'laptop' })
    await edge.get(asks, { params })
    await edge.get(asks, { params })
    await edgeApi({ url, token: 'one' }).get(asks, { params })
    expect(
      heard.map(({ headers, url: path }) => [path, headers.authorization, headers['waystone-device']]),
    ).toEqual([
      ['/v1/runs/ana.trip/asks', 'Bearer token-1', 'laptop'],
      ['/v1/runs/ana.trip/asks', 'Bearer token-2', 'laptop'],
      ['/v1/runs/ana.trip/asks', 'Bearer one', undefined],
    ])
  })

  it('rejects as the token does, without a request', async () => {
    const signedOut = new Error('signed out')
    const edge = edgeApi({ url, token: () => Promise.reject(signedOut) })
    await expect(edge.get(asks, { params })).rejects.toBe(signedOut)
    expect(heard).toEqual([])
  })

  it('sends JSON, lines and bytes as what they are', async () => {
    const edge = edgeApi({ url, token: 'one', device: 'laptop' })
    answer = (_, response) => response.writeHead(204).end()
    await edge.post('/v1/runs/{run}/links', { params, body: { use: 'read' } })
    const header = { 'waystone-base': 'none' }
    await edge.post('/v1/runs/{run}/entries', { params: { ...params, header }, body: '{}\n' })
    const path = { run: 'ana.trip', hash: '0'.repeat(64) }
    await edge.put('/v1/runs/{run}/blobs/{hash}', {
      params: { path },
      body: new TextEncoder().encode('bytes'),
    })
    expect(heard.map(({ method, headers, body }) => [method, headers['content-type'], body])).toEqual([
      ['POST', 'application/json', '{"use":"read"}'],
      ['POST', 'application/x-ndjson', '{}\n'],
      ['PUT', 'application/octet-stream', 'bytes'],
    ])
    expect(heard[1]?.headers['waystone-base']).toBe('none')
  })

  it('gives what the media type says, also when there is nothing of it', async () => {
    const edge = edgeApi({ url, token: 'one', device: 'laptop' })
    const answers = (type: string, body: string) => {
      answer = (_, response) => response.writeHead(200, { 'content-type': type }).end(body)
    }
    answers('application/x-ndjson', 'line\n')
    expect(await edge.get('/v1/runs/{run}/entries', { params })).toBe('line\n')
    answers('application/x-ndjson', '')
    expect(await edge.get('/v1/runs/{run}/entries', { params })).toBe('')
    answers('application/octet-stream', 'bytes')
    const path = { run: 'ana.trip', hash: '0'.repeat(64) }
    const bytes = await edge.get('/v1/runs/{run}/blobs/{hash}', { params: { path } })
    expect(new TextDecoder().decode(bytes)).toBe('bytes')
    answer = (_, response) => response.writeHead(204).end()
    expect(await edge.delete('/v1/runs/{run}', { params })).toBeUndefined()
  })

  it('rejects with the error that a refusal carries, whatever else is in it', async () => {
    const edge = edgeApi({ url, token: 'one' })
    answer = (_, response) =>
      json(response, 409, { code: 'answer_taken', message: 'too late', run: 'ana.trip', later: true })
    expect(await errorOf(edge.get(asks, { params }))).toMatchObject({
      code: 'answer_taken',
      message: 'too late',
      run: 'ana.trip',
    })
  })

  it.each([
    ['a refusal without one of our errors', 502, 'text/html', '<h1>Bad gateway</h1>'],
    ['a refusal of something else', 403, 'application/json', '{"code":1020,"message":"denied"}'],
    ['a page in place of an answer', 200, 'text/html', '<h1>Sign in to this network</h1>'],
    ['an answer that is not what it says', 200, 'application/json', '<h1>'],
  ])('takes %s for no answer of the edge: unreachable', async (_, status, type, body) => {
    answer = (_request, response) => response.writeHead(status, { 'content-type': type }).end(body)
    const error = await errorOf(edgeApi({ url, token: 'one' }).get(asks, { params }))
    expect(error).toMatchObject({ code: 'unreachable', actions: ['retry'] })
  })

  it('takes an answer that breaks off, and one that does not begin in time, for unreachable', async () => {
    const edge = edgeApi({ url, token: 'one', timeoutMs: 200 })
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 }).write('{')
      setImmediate(() => response.destroy())
    }
    expect(await errorOf(edge.get(asks, { params }))).toMatchObject({ code: 'unreachable' })
    answer = () => undefined
    expect(await errorOf(edge.get(asks, { params }))).toMatchObject({ code: 'unreachable' })
  })

  it('takes a token that does not settle in time for unreachable, without a request', async () => {
    const edge = edgeApi({ url, token: () => new Promise(() => undefined), timeoutMs: 20 })
    expect(await errorOf(edge.get(asks, { params }))).toMatchObject({ code: 'unreachable' })
    expect(heard).toEqual([])
  })

  it('rejects with the reason of the signal that ends a call', async () => {
    const stop = new AbortController()
    const reason = new Error('not needed any more')
    answer = () => stop.abort(reason)
    const edge = edgeApi({ url, token: 'one' })
    await expect(edge.get(asks, { params, signal: stop.signal })).rejects.toBe(reason)
    await expect(edge.get(asks, { params, signal: stop.signal })).rejects.toBe(reason)
    const silent = edgeApi({ url, token: () => new Promise(() => undefined) })
    await expect(silent.get(asks, { params, signal: stop.signal })).rejects.toBe(reason)
  })

  it('lets a stream of events go on for longer than an answer may take to begin, until it is ended', async () => {
    let send: (text: string) => void = () => undefined
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('one\n')
      send = (text) => response.write(text)
    }
    const stop = new AbortController()
    const edge = edgeApi({ url, token: 'one', timeoutMs: 1_000 })
    const events = await edge.get('/v1/runs/{run}/events', { params, signal: stop.signal })
    const reader = events?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail('no events')
    expect((await reader.read()).value).toBe('one\n')
    // Another call, of which the time passes meanwhile.
    answer = () => undefined
    expect(await errorOf(edge.get(asks, { params }))).toMatchObject({ code: 'unreachable' })
    send('two\n')
    expect((await reader.read()).value).toBe('two\n')
    stop.abort()
    await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('keeps a value within its part of the path', async () => {
    const edge = edgeApi({ url, token: 'one' })
    answer = (_, response) => response.writeHead(204).end()
    const revoke = (link: string) =>
      edge.delete('/v1/runs/{run}/links/{link}', { params: { path: { run: 'ana.trip', link } } })
    await revoke('../../ana.other?x=1#y')
    expect(heard[0]?.url).toBe('/v1/runs/ana.trip/links/..%2F..%2Fana.other%3Fx%3D1%23y')
    for (const link of ['.', '..'])
      expect(await errorOf(revoke(link))).toMatchObject({ code: 'input_refused' })
    expect(heard.length).toBe(1)
  })

  it('refuses an address that is none', () => {
    expect(() => edgeApi({ url: 'runs.example.com', token: 'one' })).toThrow(WaystoneError)
    expect(() => edgeApi({ url: '', token: 'one' })).toThrow(WaystoneError)
  })
})
