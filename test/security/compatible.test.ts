import { parseRunId, type RunId } from '@waystone/core'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { incompatibilities, type ApiDescription } from './compatible.ts'
import { startSecurityWorld, type Answer, type SecurityWorld } from './security-world.ts'

// What `GET /v1/openapi.json` of each version said. The file of a version that was released is never changed: clients that were
// made for it are out there, and what comes after it only adds. A new version adds a file of its own.
const golden = join(import.meta.dirname, 'golden')

let world: SecurityWorld
let now: ApiDescription
let ana: string
beforeAll(async () => {
  world = await startSecurityWorld()
  now = JSON.parse((await world.ask('/v1/openapi.json', undefined)).text) as ApiDescription
  ana = await world.token()
})
afterAll(() => world.close())

async function descriptionOf(name: string): Promise<ApiDescription> {
  return JSON.parse(await readFile(join(golden, name), 'utf8')) as ApiDescription
}

describe('a client of an older version', () => {
  it('finds all that it knows at this edge', async () => {
    const names = (await readdir(golden)).filter((name) => name.startsWith('openapi-'))
    expect(names).toContain('openapi-0.1.json')
    for (const name of names)
      expect([name, incompatibilities(await descriptionOf(name), now)]).toEqual([name, []])
  })

  const asks = '"/v1/runs/{run}/asks":{"get":{'
  const changes: readonly (readonly [what: string, from: string, to: string, found: string])[] = [
    ['a route is gone', asks, '"/v1/runs/{run}/questions":{"get":{', 'GET /v1/runs/{run}/asks is gone'],
    ['a method is another', asks, '"/v1/runs/{run}/asks":{"post":{', 'GET /v1/runs/{run}/asks is gone'],
    [
      'a right is not enough any more',
      '"x-needs":["read","answer"]',
      '"x-needs":["read"]',
      'does not let in',
    ],
    [
      'a parameter is needed',
      '"name":"from","in":"query","required":false',
      '"name":"from","in":"query","required":true',
      'needs the query parameter from',
    ],
    ['a parameter has another name', '"name":"from"', '"name":"since"', 'from is not taken any more'],
    ['a field of a body is needed', '"required":["use"]', '"required":["use","ms"]', 'needs the field ms'],
    ['a field of a body has another name', '"ms":{', '"millis":{', 'ms is not taken any more'],
    ['a value is not taken', '["moved","expired","forced"]', '["moved","forced"]', 'does not take "expired"'],
    [
      'a kind of item is not taken',
      '{"const":"message"}',
      '{"const":"note"}',
      'does not take type: "message"',
    ],
    [
      'a kind of item needs more',
      '"required":["type","id","by","time","ask"',
      '"required":["type","id","by","time","why","ask"',
      'does not take type: "answer"',
    ],
    ['a text has to be longer', '"minLength":1', '"minLength":2', 'does not take type: "interrupt"'],
    ['a body may be smaller only', '"x-bytes-max":1000}', '"x-bytes-max":999}', 'takes 999 bytes only'],
    ['a field of an answer may be missing', '"required":["links"]', '"required":[]', 'links may be missing'],
    [
      'a field of an answer is of another type',
      '"path":{"type":"string"},"question"',
      '"path":{"type":"integer"},"question"',
      'path is integer, was string',
    ],
    [
      'a kind of answer is not given',
      '{"const":"head_moved"}',
      '{"const":"conflict"}',
      'does not give ok: false, code: "head_moved"',
    ],
    [
      'a header is not given',
      '"waystone-head":{',
      '"waystone-last":{',
      'waystone-head is not given any more',
    ],
  ]
  it.each(changes)('would notice when %s', async (_, from, to, found) => {
    const before = await descriptionOf('openapi-0.1.json')
    const text = JSON.stringify(before)
    expect(text).toContain(from)
    const changed = JSON.parse(text.replaceAll(from, to)) as ApiDescription
    expect(incompatibilities(before, changed).join('\n')).toContain(found)
  })

  it('may go on when routes, parameters, fields and kinds are added', async () => {
    const before = await descriptionOf('openapi-0.1.json')
    const additions: readonly (readonly [from: string, to: string])[] = [
      [asks, `"/v1/runs/{run}/later":{"get":{"responses":{}}},${asks}`],
      ['"name":"from",', '"name":"later","in":"query","required":false,"schema":{}},{"name":"from",'],
      ['"required":["use"]', '"required":[]'],
      ['"ms":{', '"later":{"type":"string"},"ms":{'],
      ['["moved","expired","forced"]', '["moved","expired","forced","later"]'],
      ['"required":["links"]', '"required":["links","later"]'],
      ['"oneOf":[', '"oneOf":[{"type":"object","properties":{"type":{"const":"later"}}},'],
    ]
    const text = additions.reduce((all, [from, to]) => {
      expect(all).toContain(from)
      return all.replaceAll(from, to)
    }, JSON.stringify(before))
    expect(incompatibilities(before, JSON.parse(text) as ApiDescription)).toEqual([])
  })
})

describe('a client of a newer version', () => {
  const later = { later: { anything: ['that', 'this', 'edge', 'does', 'not', 'know'] } }

  /** Sends a body with fields that this edge does not know, to an address with a parameter that it does not know. */
  function send(run: RunId, route: string, body: object, device = 'laptop'): Promise<Answer> {
    const headers = { 'waystone-device': device }
    const init = { method: 'POST', headers, body: JSON.stringify({ ...body, ...later }) }
    return world.ask(`/v1/runs/${run}/${route}?later=yes&later=no`, ana, init)
  }

  it('is answered as if it had left out the fields of a body that this edge does not know', async () => {
    const run = parseRunId('ana.later')
    const { ask, blob, head } = await world.begin('acme', run)
    const made = await send(run, 'links', { use: 'read', ms: 60_000 })
    expect([made.status, Object.keys(JSON.parse(made.text) as object)]).toEqual([
      200,
      ['id', 'use', 'by', 'time', 'until', 'token'],
    ])
    const missing = await send(run, 'blobs/missing', { hashes: [blob.hash] })
    expect(JSON.parse(missing.text)).toEqual({ hashes: [] })
    const copy = parseRunId('ana.copy')
    await world.begin('acme', copy)
    const shared = await send(copy, 'blobs/share', { from: run, hashes: [blob.hash] })
    expect(JSON.parse(shared.text)).toEqual({ hashes: [] })
    const answer = { type: 'answer', id: 'one', by: 'ana', time: 1, ask, value: 'yes' }
    expect((await send(run, 'inbox', answer)).status).toBe(204)
    const inbox = await world.ask(`/v1/runs/${run}/inbox`, ana)
    expect(JSON.parse(inbox.text)).toEqual({ items: [{ ...answer, time: expect.any(Number) }] })
    const base = `${String(head.seq)}:${head.digest}`
    const proof = { head: base, version: 1, rules: 1, ...later }
    const claim = { base, epoch: 0, owner: 'phone', place: 'browser', reason: 'forced', proof }
    expect((await send(run, 'hold', { ms: 0 })).code).toBeUndefined()
    const claimed = await send(run, 'claim', claim, 'phone')
    expect([claimed.status, claimed.text]).toEqual([200, expect.stringContaining('"phone"')])
  })

  it('is answered as if it had left out the parameters that this edge does not know', async () => {
    const run = parseRunId('ana.queries')
    const { text, blob } = await world.begin('acme', run)
    const path = `/v1/runs/${run}`
    for (const route of ['entries', 'asks', 'links', 'inbox', 'blockers', `blobs/${blob.hash}`]) {
      const [plain, more] = await Promise.all([
        world.ask(`${path}/${route}`, ana),
        world.ask(`${path}/${route}?later=yes&from_later=7`, ana),
      ])
      expect([route, more.status, more.text]).toEqual([route, 200, plain.text])
    }
    const page = await world.ask('/v1/runs?later=yes&limit=1', ana)
    expect([page.status, JSON.parse(page.text)]).toEqual([
      200,
      expect.objectContaining({ runs: expect.any(Array) }),
    ])
    const entries = await world.ask(`${path}/entries?from=0&later=yes`, ana, {
      headers: { 'waystone-later': 'yes' },
    })
    expect(entries.text).toBe(text)
    expect((await world.ask(`${path}?later=yes`, ana, { method: 'DELETE' })).status).toBe(204)
  })
})
