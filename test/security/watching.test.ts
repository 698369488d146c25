import { parseRunId } from '@waystone/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.trip')
let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld({ WATCH: 'yes' })
})
afterAll(() => world.close())

/** What the edge has printed of its events. */
function events(): readonly Readonly<Record<string, unknown>>[] {
  const lines = world.edge.process.log().split('\n')
  return lines
    .map((line) => /\{"waystone":.*\}/.exec(line)?.[0])
    .filter((text) => text !== undefined)
    .map((text) => JSON.parse(text) as Readonly<Record<string, unknown>>)
}

const printed = (wanted: object): Promise<object> => {
  const find = (): object | undefined =>
    events().find((event) => Object.entries(wanted).every(([name, value]) => event[name] === value))
  const message = (): string =>
    `no ${JSON.stringify(wanted)} among\n${events()
      .map((one) => JSON.stringify(one))
      .join('\n')}`
  return poll(find, { timeoutMs: 20_000, message })
}

it('what the edge stores, gives, moves and refuses is told, and nothing of what is in it', async () => {
  const begun = await world.begin('acme', run)
  const token = await world.token()
  const about = { tenant: 'acme', run }
  expect(await printed({ type: 'save', by: 'device', entries: 3, ...about })).toMatchObject({
    bytes: new TextEncoder().encode(begun.text).length - 3,
    ms: expect.any(Number),
  })
  await world.ask(`/v1/runs/${run}/entries?from=1`, token)
  await printed({ type: 'restore', by: 'device', entries: 2, ...about })

  const head = `${String(begun.head.seq)}:${begun.head.digest}`
  const claim = {
    base: head,
    epoch: 0,
    owner: 'phone',
    place: 'browser',
    reason: 'forced',
    proof: { head, version: 1, rules: 1 },
  }
  const claimed = await world.ask(`/v1/runs/${run}/claim`, token, {
    method: 'POST',
    headers: { 'waystone-device': 'phone' },
    body: JSON.stringify(claim),
  })
  expect(claimed.status).toBe(200)
  await printed({ type: 'claim', reason: 'forced', from: laptop, to: 'phone', ...about })

  await world.ask(`/v1/runs/${run}/entries`, undefined)
  await printed({ type: 'refusal', code: 'unauthorized', status: 401, route: 'pullEntries' })
  await world.ask(`/v1/runs/${run}/links`, await world.token({ operations: ['read'] }))
  await printed({ type: 'refusal', code: 'forbidden', status: 403, route: 'links' })
  await world.ask(`/v1/runs/${run}/entries`, token, {
    method: 'POST',
    body: begun.text,
    headers: { 'waystone-base': 'none' },
  })

  await world.edge.process.kill()
  await world.edge.start()
  await world.ask(`/v1/runs/${run}/asks`, token)
  await printed({ type: 'restore', by: 'edge', ...about })
  const text = events()
    .map((event) => JSON.stringify(event))
    .join('\n')
  for (const content of ['secret', 'Go on?', 'subject', '"ana"']) expect(text).not.toContain(content)
})
