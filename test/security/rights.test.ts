import { mintToken, narrowToken, newAccessKey, operations, type Operation } from '@waystone/access'
import { edgeOwner, parseRunId } from '@waystone/core'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askingRun, type AskingRun } from './asking-run.ts'
import { descriptionOf, mustFind, routesOf, type DescribedRoute } from './described.ts'
import { startSecurityWorld, type Answer, type SecurityWorld } from './security-world.ts'
import { storedRuns } from './stored-runs.ts'

const run = parseRunId('ana.trip')
let world: SecurityWorld
let begun: AskingRun
let routes: readonly DescribedRoute[]
beforeAll(async () => {
  world = await startSecurityWorld()
  begun = await world.begin('acme', run)
  await world.begin('globex', parseRunId('bob.trip'))
  routes = routesOf(await descriptionOf(world.edge.process.url))
})
afterAll(() => world.close())

/** Asks a route with bodies that are in order wherever the token is, so that only the token can be wrong. */
function ask(route: DescribedRoute, token: string | undefined, of: string = run): Promise<Answer> {
  const path = route.path
    .replace('{run}', of)
    .replace('{hash}', begun.blob.hash)
    .replace('{link}', 'no-such-link')
  const query = route.parameters.some((one) => one.in === 'query' && one.required) ? '?device=phone' : ''
  const headers = { 'waystone-base': 'none' }
  const body = bodies[route.id]?.()
  return world.ask(`${path}${query}`, token, {
    method: route.method,
    headers,
    ...(body === undefined ? {} : { body }),
    // Events go on for ever: what counts is how they begin.
    ...(route.id === 'events' ? { signal: AbortSignal.timeout(20_000) } : {}),
  })
}

const bodies: Readonly<Record<string, () => string>> = {
  pushEntries: () => begun.text,
  claim: () =>
    JSON.stringify({ base: `0:${begun.ask}`, epoch: 0, owner: 'laptop', place: 'browser', reason: 'moved' }),
  hold: () => '{}',
  send: () => JSON.stringify({ type: 'message', name: 'n', value: 1, id: 'i', by: 'b', time: 1 }),
  missingBlobs: () => JSON.stringify({ hashes: [] }),
  shareBlobs: () => JSON.stringify({ from: run, hashes: [] }),
  putBlob: () => begun.blob.bytes,
  makeLink: () => JSON.stringify({ use: 'read' }),
}

/** Routes of a tenant that are for whoever may see any run. */
const ofSomeRuns = new Set(['listRuns', 'search', 'exportRuns'])

/** Everything that the edge has of the run, and the names of all that it has anything of. */
async function everything(): Promise<readonly string[]> {
  const token = await world.token()
  const paths = ['entries?from=0', `blobs/${begun.blob.hash}`, 'asks', 'links', 'inbox']
  const texts = paths.map(async (path) => (await world.ask(`/v1/runs/${run}/${path}`, token)).text)
  return [...(await Promise.all(texts)), ...(await storedRuns(world.edge.persistTo))]
}

describe('every route', () => {
  it('lets nobody in whose token is none, forged, expired, or signed for somebody else', async () => {
    const before = await everything()
    const token = await world.token()
    const [signed = '', holder = ''] = token.split('~')
    const [header = '', payload = '', signature = ''] = signed.split('.')
    const stranger = await newAccessKey('first')
    const grant = { tenant: 'acme', subject: 'ana', runs: ['*'], operations }
    const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1_000)
    const claims = { aud: 'waystone', tenant: 'acme', runs: ['*'], ops: operations, iat: now, exp: now + 60 }
    const publicBytes = new TextEncoder().encode(world.key.x)
    const wrong: Readonly<Record<string, string | undefined>> = {
      'no token': undefined,
      'an empty token': '',
      'a word': 'secret',
      'another key of the same name': await mintToken(stranger.key, grant),
      'a key that is not known': await mintToken({ ...world.key, kid: 'second' }, grant),
      expired: await mintToken(world.key, grant, { now: Date.now() - 3_600_000 }),
      'not begun': await mintToken(world.key, grant, { now: Date.now() + 3_600_000 }),
      'valid for too long': await mintToken(world.key, grant, { lifetime: '2d' }),
      unsigned: `${base64({ alg: 'none', kid: 'first' })}.${base64(claims)}.`,
      'signed with the public key as a secret': await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'first' })
        .sign(publicBytes),
      'another payload': `${header}.${base64(claims)}.${signature}~${holder}`,
      'without the key of its holder': `${header}.${payload}.${signature}`,
      'a link that is none': `link/acme/${run}/0000`,
      'a link of another form': 'link/',
      'too long': `${token}${'~x'.repeat(5_000)}`,
    }
    for (const route of routes) {
      for (const [what, sent] of Object.entries(wrong)) {
        const answer = await ask(route, sent)
        expect([route.id, what, answer.status, answer.code]).toEqual([route.id, what, 401, 'unauthorized'])
      }
    }
    expect(await everything()).toEqual(before)
  })

  it('refuses whoever has every right but the ones it needs, or has them for other runs', async () => {
    const before = await everything()
    for (const route of routes) {
      const others = operations.filter((one) => !route.needs.includes(one))
      const whole = await world.token()
      const tokens: Readonly<Record<string, string>> = {
        'the other operations': await world.token({ operations: others }),
        'no operation': await world.token({ operations: [] }),
        'another run': await world.token({ runs: ['ana.tri', 'ana.trip.', 'ana.trips*', 'bob.*'] }),
        'no run': await world.token({ runs: [] }),
        'narrowed to the other operations': await narrowToken(whole, { operations: others }),
        'narrowed to another run': await narrowToken(whole, { runs: ['bob.*'] }),
        'narrowed twice': await narrowToken(await narrowToken(whole, { operations: others }), {
          operations,
          runs: ['*'],
        }),
      }
      for (const [what, token] of Object.entries(tokens)) {
        // These give what a token is for, and nothing else: see the tests of the catalog, of search and of exports.
        if (ofSomeRuns.has(route.id) && what.endsWith('run')) continue
        const answer = await ask(route, token)
        expect([route.id, what, answer.status, answer.code]).toEqual([route.id, what, 403, 'forbidden'])
      }
    }
    expect(await everything()).toEqual(before)
  })

  it('lets in whoever has one of the rights it needs, and no more', async () => {
    const harmless = routes.filter(
      ({ id, path }) => !id.startsWith('delete') && id !== 'events' && path.includes('{run}'),
    )
    for (const route of harmless) {
      for (const operation of route.needs) {
        const answer = await ask(route, await world.token({ operations: [operation], runs: [run] }))
        expect([route.id, operation, answer.status]).not.toEqual([route.id, operation, 401])
        // What is sent, and what is shared, needs more than the route does: see below.
        const isPart =
          (route.id === 'send' && operation !== 'send') ||
          route.id === 'makeLink' ||
          route.id === 'shareBlobs'
        if (!isPart)
          expect([route.id, operation, answer.code]).not.toEqual([route.id, operation, 'forbidden'])
      }
    }
  })

  it('shows a tenant nothing of another, whatever ids it guesses', async () => {
    const before = await everything()
    const theirs = await world.token({ tenant: 'globex', subject: 'bob' })
    const unknown = parseRunId('never.heard.of')
    const changing = new Set([
      'pushEntries',
      'putBlob',
      'deleteRun',
      'deleteTenant',
      'events',
      'follow',
      'makeLink',
      'revokeLink',
      'shareBlobs',
    ])
    for (const route of routes.filter(({ id }) => !changing.has(id))) {
      const guessed = await ask(route, theirs)
      const other = await ask(route, theirs, unknown)
      const nameless = (text: string): string => text.replaceAll(run, '?').replaceAll(unknown, '?')
      expect([route.id, guessed.status, nameless(guessed.text)]).toEqual([
        route.id,
        other.status,
        nameless(other.text),
      ])
    }
    // Even what may be shared between runs stays with their tenant: of what they ask for nothing is there.
    const shared = await world.ask('/v1/runs/bob.trip/blobs/share', theirs, {
      method: 'POST',
      body: JSON.stringify({ from: run, hashes: [begun.blob.hash] }),
    })
    expect(JSON.parse(shared.text)).toEqual({ hashes: [begun.blob.hash] })
    // A run of the same name is another run, and deleting it leaves this one.
    await world.begin('globex', run)
    expect((await world.ask(`/v1/runs/${run}`, theirs, { method: 'DELETE' })).status).toBe(204)
    const fromDeleted = await world.ask('/v1/runs/bob.trip/blobs/share', theirs, {
      method: 'POST',
      body: JSON.stringify({ from: run, hashes: [begun.blob.hash] }),
    })
    expect([fromDeleted.status, fromDeleted.code]).toEqual([410, 'run_deleted'])
    expect(await everything()).toEqual(before)
  })
})

describe('what a body says', () => {
  const send = async (token: string, item: object) =>
    world.ask(`/v1/runs/${run}/inbox`, token, {
      method: 'POST',
      body: JSON.stringify({ id: 'x', by: 'somebody', time: 1, ...item }),
    })

  it('needs the right for just that: to answer, to send, or to steer', async () => {
    const items: readonly (readonly [Operation, object])[] = [
      ['answer', { type: 'decide', start: begun.ask, decision: { type: 'again' } }],
      ['send', { type: 'interrupt' }],
      ['send', { type: 'message', name: 'n', value: 1 }],
      ['append', { type: 'cancel', reason: '' }],
      ['append', { type: 'rewind', seq: 0 }],
      ['append', { type: 'retry' }],
    ]
    for (const [needed, item] of items) {
      for (const operation of ['answer', 'send', 'append'] as const) {
        if (operation === needed) continue
        const answer = await send(await world.token({ operations: [operation] }), item)
        expect([item, operation, answer.code]).toEqual([item, operation, 'forbidden'])
      }
    }
  })

  it('sets neither the sender nor the time of a message', async () => {
    const before = Date.now()
    await send(await world.token({ subject: 'carol' }), {
      id: 'signed',
      type: 'message',
      name: 'n',
      value: 1,
    })
    const inbox = await world.ask(`/v1/runs/${run}/inbox`, await world.token())
    const { items } = JSON.parse(inbox.text) as { items: { id: string; by: string; time: number }[] }
    const signed = items.find(({ id }) => id === 'signed')
    expect(signed?.by).toBe('carol')
    expect(signed?.time).toBeGreaterThanOrEqual(before)
  })

  it('makes nobody another device: not to push, not to claim, not to read the inbox, not to share blobs', async () => {
    const before = await everything()
    const mallory = await world.token({ subject: 'mallory' })
    const push = await ask(mustFind(routes, 'pushEntries'), mallory)
    expect(push.code).toBe('forbidden')
    expect((await world.ask(`/v1/runs/${run}/inbox`, mallory)).code).toBe('forbidden')
    const page = await world.ask(`/v1/runs/${run}/entries?from=0`, mallory)
    expect([page.status, page.headers.get('waystone-inbox')]).toEqual([200, null])
    const claim = (owner: string, device: string, token: string) =>
      world.ask(`/v1/runs/${run}/claim`, token, {
        method: 'POST',
        headers: { 'waystone-device': device },
        body: JSON.stringify({
          base: `${String(begun.head.seq)}:${begun.head.digest}`,
          epoch: 0,
          owner,
          place: 'browser',
          reason: 'forced',
          proof: { head: `${String(begun.head.seq)}:${begun.head.digest}`, version: 1, rules: 1 },
        }),
      })
    expect((await claim('laptop', 'laptop', mallory)).code).toBe('forbidden')
    expect((await claim('another', 'phone', mallory)).code).toBe('forbidden')
    const share = await world.ask(
      '/v1/runs/mine/blobs/share',
      await world.token({ operations: ['append'] }),
      {
        method: 'POST',
        body: JSON.stringify({ from: run, hashes: [begun.blob.hash] }),
      },
    )
    expect(share.code).toBe('forbidden')
    expect(await everything()).toEqual(before)
  })

  it('takes entries with a claim, and gives them with a hold, only where pushing and reading are allowed', async () => {
    const before = await everything()
    const base = `${String(begun.head.seq)}:${begun.head.digest}`
    const post = (path: string, token: string, body: unknown) =>
      world.ask(`/v1/runs/${run}/${path}`, token, { method: 'POST', body: JSON.stringify(body) })
    const claims = await world.token({ operations: ['claim'] })
    const tail = { base, lines: [] }
    const claim = { base, epoch: 0, owner: 'edge', place: 'edge', reason: 'moved', tail }
    const claimed = await post('claim', claims, claim)
    expect(claimed.code).toBe('forbidden')
    expect(claimed.text).toContain('append')
    const held = async (token: string): Promise<unknown> =>
      JSON.parse((await post('hold', token, { ms: 0, from: 0 })).text)
    expect(await held(claims)).toEqual({ head: base, lines: [] })
    const reads = await world.token({ operations: ['claim', 'read'] })
    expect(await held(reads)).toEqual({ head: base, lines: begun.text.trimEnd().split('\n') })
    expect(await everything()).toEqual(before)
  })
})

describe('a device', () => {
  it('is never the edge, whose entries nobody else writes', async () => {
    const forged = askingRun(parseRunId('ana.forged'), edgeOwner)
    const token = await world.token()
    const headers = { 'waystone-base': 'none', 'waystone-device': 'edge' }
    const path = '/v1/runs/ana.forged'
    expect(
      (await world.ask(`${path}/entries`, token, { method: 'POST', body: forged.text, headers })).code,
    ).toBe('forbidden')
    const as = { ...headers, 'waystone-device': 'laptop' }
    expect(
      (await world.ask(`${path}/entries`, token, { method: 'POST', body: forged.text, headers: as })).code,
    ).toBe('forbidden')
    expect((await world.ask(`${path}/inbox`, token, { headers })).code).toBe('forbidden')
    expect((await world.ask(`${path}/entries?from=0`, token)).text).toBe('')
  })

  it('is nobody’s because somebody sends what is stored already', async () => {
    const mallory = await world.token({ subject: 'mallory' })
    const headers = { 'waystone-base': 'none', 'waystone-device': 'phone' }
    await world.ask(`/v1/runs/${run}/entries`, mallory, { method: 'POST', body: begun.text, headers })
    const inbox = await world.ask(`/v1/runs/${run}/inbox`, await world.token(), {
      headers: { 'waystone-device': 'phone' },
    })
    expect(inbox.status).toBe(200)
  })
})

it('nothing is kept by caches on the way, but blobs, which never change, by those of one token', async () => {
  const token = await world.token()
  const kept = async (path: string): Promise<string | null> =>
    (await world.ask(path, token)).headers.get('cache-control')
  for (const path of [
    '/v1/health',
    '/v1/runs',
    `/v1/runs/${run}/asks`,
    `/v1/runs/${run}/entries`,
    '/v1/nothing',
  ])
    expect([path, await kept(path)]).toEqual([path, 'no-store'])
  expect(await kept(`/v1/runs/${run}/blobs/${begun.blob.hash}`)).toContain('private')
})

it('a page of another origin is told nothing, one on the list is', async () => {
  const from = async (origin: string) =>
    (await world.ask('/v1/health', undefined, { headers: { origin } })).headers.get(
      'access-control-allow-origin',
    )
  expect(await from('https://evil.example.com')).toBe(null)
  expect(await from('https://app.example.com')).toBe('https://app.example.com')
})
