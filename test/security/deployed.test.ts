import { parseRunId } from '@waystone/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { hasTable, objectDatabases } from '../harness/edge-databases.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

const origin = 'https://pages.example.com'
let world: SecurityWorld
beforeAll(async () => {
  const vars = { WAYSTONE_ORIGINS: `https://other.example.com,${origin}`, WAYSTONE_QUOTA: '{"runsMax":1}' }
  world = await startSecurityWorld(vars, { app: 'deployed' })
})
afterAll(() => world.close())

it('the worker that is deployed lets pages of the origins ask that it is given, and no others', async () => {
  const allowed = async (from: string): Promise<string | null> =>
    (await world.ask('/v1/health', undefined, { headers: { origin: from } })).headers.get(
      'access-control-allow-origin',
    )
  expect(await allowed(origin)).toBe(origin)
  expect(await allowed('https://evil.example.com')).toBe(null)
})

it('it takes a quota from its variables, and logs what the edge does', async () => {
  await world.begin('bounded', parseRunId('ana.first'))
  const logged = (text: string): (() => true | undefined) => {
    return () => world.edge.process.log().includes(text) || undefined
  }
  await poll(logged('"waystone":"save"'), { timeoutMs: 10_000, message: () => world.edge.process.log() })
  const token = await world.token({ tenant: 'bounded' })
  const isListed = async (): Promise<true | undefined> =>
    (await world.ask('/v1/runs', token)).text.includes('ana.first') || undefined
  await poll(isListed, { timeoutMs: 10_000, message: () => 'the run is not listed', everyMs: 500 })
  await expect(world.begin('bounded', parseRunId('ana.second'))).rejects.toThrow('limit_exceeded')
})

it('it bounds how often may be asked of a run, and of all runs of a tenant, and nobody else', async () => {
  const run = parseRunId('ana.asked')
  await world.begin('calm', run)
  const token = await world.token({ tenant: 'eager' })
  const asked = async (path: string): Promise<readonly (string | undefined)[]> => {
    const codes: (string | undefined)[] = []
    // Where a period ends meanwhile, it takes twice as many.
    for (let round = 0; round < 130 && codes.at(-1) !== 'limit_exceeded'; round++)
      codes.push((await world.ask(path, token)).code)
    return codes
  }
  expect((await asked(`/v1/runs/${run}/asks`)).at(-1)).toBe('limit_exceeded')
  expect((await asked('/v1/runs')).at(-1)).toBe('limit_exceeded')
  expect((await world.ask(`/v1/runs/${run}/asks`, await world.token({ tenant: 'calm' }))).status).toBe(200)
})

it('it bounds guesses at links by the run that they are of, and takes nothing for a guess that has not their form', async () => {
  const run = parseRunId('ana.linked')
  const linkOf = async (tenant: string): Promise<string> => {
    await world.begin(tenant, run)
    const init = { method: 'POST', body: JSON.stringify({ use: 'read' }) }
    const made = await world.ask(`/v1/runs/${run}/links`, await world.token({ tenant }), init)
    return (JSON.parse(made.text) as { token: string }).token
  }
  const [guessed, other] = [await linkOf('guessed'), await linkOf('other')]
  const statusOf = async (token: string): Promise<number> =>
    (await world.ask(`/v1/runs/${run}/asks`, token)).status
  const guess = async (secret: string): Promise<ReadonlySet<number>> => {
    const statuses = new Set<number>()
    for (let round = 0; round < 130 && !statuses.has(429); round++)
      statuses.add(await statusOf(`link/guessed/${run}/${secret}`))
    return statuses
  }
  expect([...(await guess('0000'))]).toEqual([401])
  expect(await statusOf(guessed)).toBe(200)
  expect([...(await guess('0'.repeat(40)))]).toEqual([401, 429])
  expect(await statusOf(other)).toBe(200)
  expect((await world.ask('/v1/runs', await world.token({ tenant: 'guessed' }))).status).toBe(200)
  expect((await world.ask('/v1/runs', await world.token({ tenant: 'link' }))).status).toBe(200)
})

it('it reads documents for who writes runs, as often as they may ask, and tells nobody why one cannot be had', async () => {
  const read = async (url: string, grant: object = { tenant: 'reader' }): Promise<[number, string]> => {
    const answer = await world.ask(`/read?url=${encodeURIComponent(url)}`, await world.token(grant))
    return [answer.status, answer.text]
  }
  const operations = ['read', 'answer', 'send'] as const
  expect((await read('https://example.com/', { tenant: 'looker', operations }))[0]).toBe(403)
  const refused = 'the edge reads public http and https addresses only, not 127.0.0.1'
  expect(await read('http://127.0.0.1/')).toEqual([502, JSON.stringify({ error: refused })])
  // The files of the demo are not there.
  expect(await read('/sources/a.md')).toEqual([502, '{"error":"this cannot be had now"}'])
  const logged = (): true | undefined =>
    /"waystone":"failure".*TypeError/.test(world.edge.process.log()) || undefined
  await poll(logged, { timeoutMs: 10_000, message: () => world.edge.process.log() })
  let status = 0
  for (let round = 0; round < 130 && status !== 429; round++) [status] = await read('nothing')
  expect(status).toBe(429)
})

it('it logs why it has failed, and tells nobody who asks', async () => {
  const run = parseRunId('ana.broken')
  await world.begin('broken', run)
  await world.edge.process.kill()
  await objectDatabases(world.edge.persistTo, 'do/waystone-deployed-RunObject', (database) => {
    if (hasTable(database, 'waystone_log'))
      database.exec('ALTER TABLE waystone_log RENAME COLUMN lines TO gone')
  })
  await world.edge.start()
  const answer = await world.ask(`/v1/runs/${run}/asks`, await world.token({ tenant: 'broken' }))
  expect([answer.status, answer.text.includes('no such column')]).toEqual([500, false])
  const found = (): true | undefined =>
    /"waystone":"failure".*"where":"request".*no such column/.test(world.edge.process.log()) || undefined
  await poll(found, { timeoutMs: 10_000, message: () => world.edge.process.log() })
})
