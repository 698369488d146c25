import {
  deflatedLines,
  frameOf,
  limits,
  parseDigest,
  parseRunId,
  sealEntry,
  type EntryDraft,
} from '@waystone/core'
import fc from 'fast-check'
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AskingRun } from './asking-run.ts'
import { tokenProtocol } from '../harness/raw-socket.ts'
import { alone, refusalOf } from '../harness/unread-body.ts'
import { descriptionOf, mustFind, routesOf, type DescribedRoute } from './described.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'
import { storedRuns } from './stored-runs.ts'

const run = parseRunId('ana.trip')
const path = `/v1/runs/${run}`
const MiB = 1024 * 1024

let world: SecurityWorld
let begun: AskingRun
let routes: readonly DescribedRoute[]
let token: string
beforeAll(async () => {
  world = await startSecurityWorld()
  begun = await world.begin('acme', run)
  token = await world.token()
  routes = routesOf(await descriptionOf(world.edge.process.url))
})
afterAll(() => world.close())

const stored = async (): Promise<string> => (await world.ask(`${path}/entries?from=0`, token)).text

function send(route: DescribedRoute, body: RequestInit['body'], headers: Record<string, string> = {}) {
  const at = route.path.replace('{run}', run).replace('{hash}', begun.blob.hash)
  const init = {
    method: route.method,
    headers: { 'waystone-base': 'none', ...alone, ...headers },
    body,
    duplex: 'half',
  }
  return refusalOf(world.ask(at, token, init as RequestInit))
}

describe('a body', () => {
  it('that is too large is refused, said beforehand or not, by every route that takes one', async () => {
    const before = await stored()
    for (const route of routes) {
      if (route.bytesMax === undefined) continue
      const bytes = new Uint8Array(route.bytesMax + 1).fill(65)
      expect([route.id, await send(route, bytes)]).toEqual([route.id, 'too_large'])
      let left = bytes.byteLength
      const unsaid = new ReadableStream<Uint8Array>({
        pull(controller) {
          const size = Math.min(left, 64 * 1024)
          if (size === 0) return controller.close()
          controller.enqueue(bytes.subarray(0, size))
          left -= size
        },
      })
      expect([route.id, await send(route, unsaid)]).toEqual([route.id, 'too_large'])
    }
    expect(await stored()).toBe(before)
  })

  it('is inflated by the one route that takes it so, and only as far as a push may go', async () => {
    const before = await stored()
    const zeros = new Uint8Array(64 * MiB)
    const bombs = { gzip: gzipSync(zeros), deflate: deflateSync(zeros), 'deflate-raw': deflateRawSync(zeros) }
    for (const route of routes) {
      if (route.bytesMax === undefined || route.id === 'putBlob') continue
      for (const [encoding, bomb] of Object.entries(bombs)) {
        const code = await send(route, bomb, { 'content-encoding': encoding })
        expect([route.id, encoding, code]).toEqual([
          route.id,
          encoding,
          expect.stringMatching(/^(too_large|request_refused|entry_refused)$/),
        ])
      }
    }
    const push = mustFind(routes, 'pushEntries')
    const deflated = { 'content-type': deflatedLines }
    expect(await send(push, bombs['deflate-raw'], deflated)).toBe('too_large')
    expect(await send(push, bombs.gzip, deflated)).toBe('request_refused')
    expect(await send(push, new Uint8Array(1_000), deflated)).toBe('request_refused')
    expect(await send(push, deflateRawSync(begun.text), deflated)).toBeUndefined()
    expect(await stored()).toBe(before)
  })

  it('that is a run with anything wrong in it is refused with a code that says so, and nothing of it is stored', async () => {
    const before = await stored()
    const codes = new Set<unknown>()
    const bytes = new TextEncoder().encode(begun.text)
    const mutation = fc.record({
      at: fc.nat(bytes.length - 1),
      how: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
      byte: fc.nat(255),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        let body = bytes.slice()
        for (const { at, how, byte } of mutations) {
          const here = at % body.length
          if (how === 'flip') body[here] = (body[here] ?? 0) ^ ((byte % 255) + 1)
          else if (how === 'cut') body = body.slice(0, Math.max(1, here))
          else if (how === 'repeat') body = Uint8Array.from([...body.slice(0, here), ...body])
          else body = Uint8Array.from([...body.slice(0, here), byte, ...body.slice(here)])
        }
        const answer = await world.ask('/v1/runs/ana.fresh/entries', token, {
          method: 'POST',
          body,
          headers: { 'waystone-base': 'none' },
        })
        expect([400, 409], answer.text).toContain(answer.status)
        codes.add(answer.code)
      }),
      { numRuns: 500, seed: 6 },
    )
    expect(codes.size).toBeGreaterThan(1)
    expect((await world.ask('/v1/runs/ana.fresh/entries?from=0', token)).text).toBe('')
    expect(await storedRuns(world.edge.persistTo)).toEqual([run])
    expect(await stored()).toBe(before)
  })

  it('that is well chained and means nothing is refused, too', async () => {
    const before = await stored()
    const kinds = [
      'start',
      'turn',
      'step',
      'ask',
      'answer',
      'commit',
      'pause',
      'snapshot',
      'fork',
      'rewind',
      'claim',
      'once',
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), fc.jsonValue({ maxDepth: 2 }), async (kind, body) => {
        const at = {
          run,
          seq: begun.head.seq + 1,
          prev: begun.head.digest,
          epoch: 0,
          term: 1,
          owner: laptop,
          time: 1,
        }
        const { line } = sealEntry({ kind, body } as unknown as EntryDraft, at)
        const answer = await world.ask(`${path}/entries`, token, {
          method: 'POST',
          body: `${new TextDecoder().decode(line)}\n`,
          headers: { 'waystone-base': `${String(begun.head.seq)}:${begun.head.digest}` },
        })
        expect([400, 409], `${kind} ${JSON.stringify(body)} ${answer.text}`).toContain(answer.status)
      }),
      { numRuns: 600, seed: 6 },
    )
    expect(await stored()).toBe(before)
  })
})

describe('10,000 frames', () => {
  it('of nonsense over a socket change nothing, whoever sends them, and use no memory that lasts', async () => {
    const before = await stored()
    const url = (device: string) =>
      `${world.edge.process.url.replace('http', 'ws')}${path}/live?device=${device}&from=99`
    const open = async (device: string, of: string, protocol = 'waystone'): Promise<WebSocket> => {
      const socket = new WebSocket(url(device), [protocol, tokenProtocol(of)])
      await new Promise((resolve, reject) => {
        socket.addEventListener('message', resolve, { once: true })
        socket.addEventListener('error', reject)
      })
      return socket
    }
    const owner = await open(laptop, token)
    const reader = await open('guest', await world.token({ subject: 'guest', operations: ['read'] }))
    const shared = await open(laptop, token, 'waystone.runs')
    const sockets = [owner, reader, shared]
    const good = [
      '0 leave',
      '1 follow ana.trip 0',
      'mark 12',
      frameOf({ type: 'live', live: { phase: 'running', calls: [] } }),
      frameOf({ type: 'lines', from: 0, lines: [] }),
      frameOf({ type: 'replaced', keep: 0 }),
    ]
    const bad = fc.oneof(
      fc.string({ maxLength: 20_000, size: 'max' }),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc
        .record({
          type: fc.constantFrom('live', 'stream', 'lines', 'x'),
          at: fc.jsonValue(),
          text: fc.jsonValue(),
        })
        .map((frame) => JSON.stringify(frame)),
      fc.uint8Array({ maxLength: 2_000 }),
      fc
        .tuple(fc.constantFrom(...good), fc.nat())
        .map(([text, at]) => `${text.slice(0, at % text.length)}}${text.slice(at % text.length)}`),
    )
    const frames = fc.sample(bad, { numRuns: 500, seed: 6 })
    /** Answers come in the order of what was sent: with the last one all that was before it has been read. */
    const echo = (socket: WebSocket): Promise<unknown> =>
      new Promise((resolve) => {
        socket.addEventListener('message', function heard({ data }) {
          if (data !== 'pong') return
          socket.removeEventListener('message', heard)
          resolve(data)
        })
        socket.send('ping')
      })
    const throwAll = async (): Promise<void> => {
      for (const frame of frames) for (const socket of sockets) socket.send(frame as string)
      for (const frame of frames) if (typeof frame === 'string') shared.send(`0 ${frame}`)
      await Promise.all(sockets.map(echo))
      expect(await stored()).toBe(before)
    }
    await throwAll()
    const early = world.edge.process.memory()
    expect(early).toBeGreaterThan(0)
    for (let round = 1; round < 10; round++) await throwAll()
    expect(world.edge.process.memory() - early).toBeLessThan(128 * MiB)
    for (const socket of sockets) socket.close()
  })
})

it('a blob over its limit, or with other bytes than its hash says, is not kept, nor anything of a run that it is the first of', async () => {
  const hash = parseDigest('1'.repeat(64))
  for (const bytes of [1, 70_000]) {
    const put = await world.ask(`${path}/blobs/${hash}`, token, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    })
    expect(put.code).toBe('request_refused')
    expect((await world.ask(`${path}/blobs/${hash}`, token)).code).toBe('blob_missing')
    const first = await world.ask(`/v1/runs/ana.first/blobs/${hash}`, token, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    })
    expect(first.code).toBe('request_refused')
  }
  expect(await storedRuns(world.edge.persistTo)).toEqual([run])
  expect(limits.blobBytesMax).toBeLessThanOrEqual(routes.find(({ id }) => id === 'putBlob')?.bytesMax ?? 0)
})
