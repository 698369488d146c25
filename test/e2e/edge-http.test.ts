import { edgeClient } from '@waystone/browser'
import { limits, parseDigest, parseOwnerId, parseRunId, sealEntry, type Sealed } from '@waystone/core'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alone, refusalOf } from '../harness/unread-body.ts'
import { startWorld, type World } from './world.ts'

const zeros = parseDigest('0'.repeat(64))
const device = parseOwnerId('a-device')

/** The first entry of a run, as a device would seal it. */
function startOf(run: string, change: { readonly epoch?: number; readonly kind?: 'claim' } = {}): Sealed {
  const at = {
    run: parseRunId(run),
    seq: 0,
    prev: null,
    epoch: change.epoch ?? 0,
    term: 1,
    owner: device,
    time: 1,
  }
  if (change.kind === 'claim') {
    return sealEntry(
      { kind: 'claim', body: { reason: 'forced', place: 'browser', from: device, nonce: 'n', sdk: '0' } },
      at,
    )
  }
  const identity = { agent: 'walker', version: 1, config: zeros, input: null, place: 'browser' } as const
  return sealEntry(
    {
      kind: 'start',
      body: { ...identity, whenGone: 'offer', leaseMs: 1_000, nonce: 'n', sdk: '0', state: {} },
    },
    at,
  )
}

describe('the edge, asked by whoever', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${world.edge().url}${path}`, {
      ...init,
      headers: { ...world.headers, 'waystone-device': device, ...init.headers },
    })
    const text = await response.text()
    const json = (): { code?: string; message?: string; ok?: boolean } => JSON.parse(text) as never
    return { status: response.status, text, json, headers: response.headers }
  }
  const push = (run: string, body: string, base = 'none') =>
    ask(`/v1/runs/${run}/entries`, { method: 'POST', body, headers: { 'waystone-base': base } })
  const lineOf = ({ line }: Sealed): string => `${new TextDecoder().decode(line)}\n`

  it('takes a run, gives it back byte for byte, and takes the same push again', async () => {
    const line = lineOf(startOf('taken'))
    expect((await push('taken', line)).json()).toMatchObject({ ok: true })
    expect((await push('taken', line)).json()).toMatchObject({ ok: true })
    const pulled = await ask('/v1/runs/taken/entries?from=0')
    expect(pulled.text).toBe(line)
    expect(pulled.headers.get('waystone-head')).toMatch(/^0:/)
  })

  it('refuses what is no log, with a code, and stores nothing of it', async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ['', 'request_refused'],
      ['not json\n', 'entry_refused'],
      [lineOf(startOf('refused')).trimEnd(), 'request_refused'],
      [lineOf(startOf('another-run')), 'log_damaged'],
      [lineOf(startOf('refused', { kind: 'claim' })), 'request_refused'],
      [lineOf(startOf('refused', { epoch: 3 })), 'request_refused'],
      [`{"format":7}\n`, 'format_newer'],
      [`${'x'.repeat(limits.entryBytesMax + 1)}\n`, 'entry_refused'],
    ]
    for (const [body, code] of wrong)
      expect((await push('refused', body)).json().code, body.slice(0, 60)).toBe(code)
    expect((await push('refused', lineOf(startOf('refused')), 'rubbish')).json().code).toBe('request_refused')
    expect((await ask('/v1/runs/refused/entries?from=0')).text).toBe('')
  })

  it('stops reading a body that is too large, and stores nothing of it', async () => {
    await push('large', lineOf(startOf('large')))
    const item = { type: 'message', name: 'n', id: 'i', by: 'b', time: 1, value: 'x'.repeat(200_000) }
    const bodies: Readonly<Record<string, string>> = {
      entries: 'x'.repeat(3 * limits.pageBytesMax),
      inbox: JSON.stringify(item),
      claim: 'x'.repeat(200_000),
      'blobs/missing': 'x'.repeat(3 * limits.pageBytesMax),
      'blobs/share': 'x'.repeat(3 * limits.pageBytesMax),
    }
    for (const [path, body] of Object.entries(bodies)) {
      const headers = { 'waystone-base': 'none', ...alone }
      const asking = ask(`/v1/runs/large/${path}`, { method: 'POST', body, headers })
      expect([path, await refusalOf(asking.then(({ json }) => json()))]).toEqual([path, 'too_large'])
    }
    expect((await ask('/v1/runs/large/entries?from=1')).text).toBe('')
  })

  it('keeps a blob only under the hash of its bytes', async () => {
    const bytes = 'some bytes'
    const hash = createHash('sha256').update(bytes).digest('hex')
    const put = (name: string) => ask(`/v1/runs/blobs/blobs/${name}`, { method: 'PUT', body: bytes })
    expect((await put(zeros)).json().code).toBe('request_refused')
    expect((await put(hash)).status).toBe(204)
    expect((await ask(`/v1/runs/blobs/blobs/${hash}`)).text).toBe(bytes)
    expect((await ask(`/v1/runs/blobs/blobs/${zeros}`)).json().code).toBe('blob_missing')
    // A run's blobs are its own.
    expect((await ask(`/v1/runs/other/blobs/${hash}`)).json().code).toBe('blob_missing')
  })

  it('gives a run blobs of another one, small and large, without the device sending them again', async () => {
    const token = (world.headers['authorization'] ?? '').slice('Bearer '.length)
    const { blobs } = edgeClient({ url: world.edge().url, token: () => token }, device)
    const [from, to] = [parseRunId('shared-from'), parseRunId('shared-to')]
    const all = [0, 10, 65_535, 65_536, 1_000_000].map((size) => {
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 9)) & 255)
      return { bytes, hash: parseDigest(createHash('sha256').update(bytes).digest('hex')) }
    })
    for (const { hash, bytes } of all) await blobs.put(from, hash, bytes)
    const hashes = all.map(({ hash }) => hash)
    expect(await blobs.missing(to, hashes)).toEqual(hashes)
    expect(await blobs.share(from, to, [zeros, ...hashes])).toEqual([zeros])
    expect(await blobs.missing(to, hashes)).toEqual([])
    for (const { hash, bytes } of all)
      expect(Buffer.compare((await blobs.get(to, hash)) ?? Buffer.of(1), bytes)).toBe(0)
  })

  it('refuses what is no question for blobs, and blobs that are not asked for like that', async () => {
    const post = (route: string, body: unknown) =>
      ask(`/v1/runs/asked/blobs/${route}`, { method: 'POST', body: JSON.stringify(body) })
    for (const route of ['missing', 'share']) {
      for (const body of [null, {}, { hashes: 'all' }, { hashes: ['../x'] }, { from: 'a', hashes: [1] }])
        expect((await post(route, body)).status, `${route} ${JSON.stringify(body)}`).toBe(400)
    }
    expect((await post('share', { from: '../other', hashes: [zeros] })).json().code).toBe('input_refused')
    // Objects give each other their rows by routes that the worker does not have.
    for (const [method, route] of [
      ['POST', 'rows/read'],
      ['PUT', 'rows'],
    ] as const) {
      const rows = await ask(`/v1/runs/asked/blobs/${route}`, { method, body: new Uint8Array(70) })
      expect(rows.json().code).toMatch(/^(request|input)_refused$/)
    }
  })

  it('takes no entry whose blob is not there, and names the blob', async () => {
    const at = {
      run: parseRunId('needs-blob'),
      seq: 0,
      prev: null,
      epoch: 0,
      term: 1,
      owner: device,
      time: 1,
    }
    const identity = { agent: 'walker', version: 1, config: zeros, input: null, place: 'browser' } as const
    const state = 'x'.repeat(limits.entryBytesMax)
    const sealed = sealEntry(
      { kind: 'start', body: { ...identity, whenGone: 'offer', leaseMs: 1, nonce: 'n', sdk: '0', state } },
      at,
    )
    expect((await push('needs-blob', lineOf(sealed))).json()).toMatchObject({
      code: 'blob_missing',
      hashes: [sealed.blobs[0]?.hash],
    })
    expect((await ask('/v1/runs/needs-blob/entries?from=0')).text).toBe('')
    await ask(`/v1/runs/needs-blob/blobs/${String(sealed.blobs[0]?.hash)}`, {
      method: 'PUT',
      body: sealed.blobs[0]?.bytes as BodyInit,
    })
    expect((await push('needs-blob', lineOf(sealed))).json()).toMatchObject({ ok: true })
  })

  it('refuses a claim without a proof of exactly the head, of an owner that is there, and of a run it does not know', async () => {
    await push('claimed', lineOf(startOf('claimed')))
    const head = (await ask('/v1/runs/claimed/entries?from=0')).headers.get('waystone-head') ?? ''
    const claim = (change: object, run = 'claimed') => {
      const body = { base: head, epoch: 0, owner: 'another', place: 'browser', reason: 'moved', ...change }
      const headers = { 'waystone-device': 'another' }
      return ask(`/v1/runs/${run}/claim`, { method: 'POST', body: JSON.stringify(body), headers })
    }
    const proof = { head, version: 1, rules: 1 }
    expect((await claim({})).json().code).toBe('move_refused')
    expect((await claim({ proof: { ...proof, head: `0:${zeros}` } })).json().code).toBe('move_refused')
    expect((await claim({ proof })).json().code).toBe('move_refused')
    expect((await claim({ proof, epoch: 4 })).json().code).toBe('head_moved')
    expect((await claim({ proof }, 'unheard-of')).json().code).toBe('run_unknown')
    expect((await claim({ owner: '../edge' })).json().code).toBe('input_refused')
    expect((await ask('/v1/runs/claimed/entries?from=1')).text).toBe('')
  })

  it('says of no failure more than its code', async () => {
    for (const path of [
      '/v1/nothing',
      '/v1/runs/%2e%2e/entries',
      '/v1/runs/a%20b/entries?from=0',
      '/v1/runs/x/nothing',
      '/v1/runs/x/entries?from=-1',
    ]) {
      const answer = await ask(path)
      expect(answer.status, path).toBe(400)
      expect(answer.text).not.toMatch(/\.ts|at \w+ \(/)
    }
  })
})
