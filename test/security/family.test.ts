import { parseDigest, parseRunId, type EntryDraft } from '@waystone/core'
import type { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { runDatabase } from '../harness/edge-databases.ts'
import { firstEntry } from './asking-run.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

const digest = parseDigest('0'.repeat(64))

/** The first entry of a run that the edge takes over as soon as its device has gone. */
const start: EntryDraft = {
  kind: 'start',
  body: {
    agent: 'parent',
    version: 1,
    config: digest,
    input: null,
    place: 'browser',
    whenGone: 'edge',
    leaseMs: 200,
    nonce: 'n',
    sdk: '0',
    state: null,
  },
}

describe('a child at the edge', () => {
  let world: SecurityWorld
  beforeAll(async () => {
    world = await startSecurityWorld()
  })
  afterAll(() => world.close())

  const listed = async (tenant: string, runs = ['*']): Promise<readonly string[]> => {
    const answer = await world.ask('/v1/runs', await world.token({ tenant, runs }))
    return (JSON.parse(answer.text) as { runs: { run: string }[] }).runs.map(({ run }) => run)
  }
  /** The database of a run's object, while no edge has it open. */
  const objectOf = (run: string, work: (database: DatabaseSync) => void): Promise<void> =>
    runDatabase(world.edge.persistTo, 'do/waystone-security-RunObject', run, work)
  /** Pushes a parent, and waits until its child is in the list of its tenant. */
  const childOf = async (tenant: string, run: string): Promise<string> => {
    const before = await listed(tenant)
    await world.push(tenant, parseRunId(run), [start])
    return poll(async () => (await listed(tenant)).find((one) => one !== run && !before.includes(one)), {
      timeoutMs: 30_000,
      message: async () => `only these are listed: ${(await listed(tenant)).join(', ')}`,
    })
  }

  it('is for those who may see the runs of its parent, and for no other tenant', async () => {
    const child = await childOf('acme', 'ana.report')
    expect(child).toMatch(/^ana\.[0-9a-f]{32}-1$/)
    const read = async (grant: object): Promise<number> =>
      (await world.ask(`/v1/runs/${child}/entries?from=0`, await world.token(grant))).status
    expect(await read({ runs: ['ana.*'] })).toBe(200)
    expect(await read({ runs: ['bob.*'] })).toBe(403)
    expect(await listed('acme', ['ana.*'])).toContain(child)
    expect(await listed('acme', ['bob.*'])).toEqual([])
    expect(await listed('globex')).toEqual([])
    // The same name in another tenant is another run, of which there is nothing.
    const elsewhere = await world.ask(
      `/v1/runs/${child}/entries?from=0`,
      await world.token({ tenant: 'globex' }),
    )
    expect(elsewhere.text).toBe('')
  })

  it('is asked for by no route: what objects ask each other no token reaches', async () => {
    const child = await childOf('acme', 'ana.route')
    const token = await world.token()
    for (const path of ['runCall', 'family', 'children', 'start', 'end', 'cancel', 'came', 'ended'])
      for (const method of ['GET', 'POST'])
        expect(await world.ask(`/v1/runs/${child}/${path}`, token, { method })).toMatchObject({
          code: 'request_refused',
        })
  })

  it('hears that its parent is over, whatever was sent to it under the name of that', async () => {
    const [parent, child] = [parseRunId('ana.over'), parseRunId('ana.heir')]
    const turn: EntryDraft = { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: digest } }
    const ask: EntryDraft = { kind: 'ask', body: { path: '0/go', input: digest, question: 'Go on?' } }
    const spawn: EntryDraft = {
      kind: 'spawn',
      body: { path: '0/c', child, agent: 'asker', given: null, attempts: 1 },
    }
    const own = firstEntry(child)
    const childEntry: EntryDraft = { ...own, body: { ...own.body, parent, depth: 1 } }
    const head = await world.push('initech', parent, [firstEntry(parent), turn, spawn])
    await world.push('initech', child, [childEntry, turn, ask])
    const sender = await world.token({ tenant: 'initech', operations: ['send', 'answer'] })
    const path = `/v1/runs/${child}/inbox`
    for (const id of [`cancel by ${parent}`, `end of ${parent}`]) {
      const item = { type: 'message', name: 'n', value: 1, id, by: 'mallory', time: 1 }
      const sent = await world.ask(path, sender, { method: 'POST', body: JSON.stringify(item) })
      expect(sent).toMatchObject({ status: 400, code: 'request_refused' })
    }
    await world.push('initech', parent, [{ kind: 'cancel', body: { id: 'c', by: 'ana', reason: '' } }], head)
    const inbox = async (): Promise<string> =>
      (await world.ask(path, await world.token({ tenant: 'initech' }))).text
    await poll(async () => ((await inbox()).includes('"type":"cancel"') ? true : undefined), {
      timeoutMs: 30_000,
      message: async () => `the child was told only this: ${await inbox()}`,
    })
  })

  it('that cannot be told holds up no deletion of its parent, and is told when it can be', async () => {
    const child = await childOf('hooli', 'ana.gone')
    const token = await world.token({ tenant: 'hooli' })
    const rename = async (from: string, to: string): Promise<void> => {
      await world.edge.process.kill()
      await objectOf(child, (database) =>
        database.exec(`ALTER TABLE waystone_log RENAME COLUMN ${from} TO ${to}`),
      )
      await world.edge.start()
    }
    await rename('lines', 'broken')
    expect((await world.ask('/v1/runs/ana.gone', token, { method: 'DELETE' })).status).toBe(204)
    expect(await listed('hooli')).toEqual([child])
    await rename('broken', 'lines')
    const cancelled = async (): Promise<true | undefined> =>
      (await world.ask(`/v1/runs/${child}/entries?from=0`, token)).text.includes(
        'its parent, run ana.gone, was deleted',
      ) || undefined
    await poll(cancelled, { timeoutMs: 120_000, message: () => 'the child was not told', everyMs: 500 })
  })

  it('is deleted with all runs of its tenant', async () => {
    const child = await childOf('initech', 'ana.all')
    const token = await world.token({ tenant: 'initech' })
    expect((await world.ask('/v1/runs', token, { method: 'DELETE' })).status).toBe(202)
    await poll(async () => (await listed('initech')).length === 0 || undefined, {
      timeoutMs: 30_000,
      message: async () => `these are still there: ${(await listed('initech')).join(', ')}`,
    })
    for (const run of ['ana.all', child])
      expect(await world.ask(`/v1/runs/${run}/entries?from=0`, token)).toMatchObject({ code: 'run_deleted' })
  })
})
