import { edgeApi, type EdgeApi, type Schemas } from '@waystone/client'
import { parseRunId, type EntryDraft } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { firstEntry, note } from './asking-run.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.noted')
const turns = 120

let world: SecurityWorld
let edge: EdgeApi
beforeAll(async () => {
  world = await startSecurityWorld({ WATCH: 'yes', SEARCHED: 'nobody' })
  edge = edgeApi({ url: world.edge.process.url, token: () => world.token() })
  const label: EntryDraft = { kind: 'label', body: { path: '3/draft', label: 'draft' } }
  const notes = Array.from({ length: turns }, (_, turn) => note(turn, `note ${String(turn)}`))
  await world.push('acme', run, [firstEntry(run), ...notes.slice(0, 3), label, ...notes.slice(3)])
})
afterAll(() => world.close())

type Query = NonNullable<Parameters<typeof list>[0]>
const list = (query: {
  label?: string
  trigger?: Schemas['Trigger']
  valid?: 'true' | 'false'
  to?: number
  limit?: number
  after?: number
}): Promise<Schemas['CheckpointPage']> =>
  edge.get('/v1/runs/{run}/checkpoints', { params: { path: { run }, query } })

async function all(query: Query): Promise<Schemas['CheckpointPage']['checkpoints']> {
  const found: Schemas['Checkpoint'][] = []
  for (let after: number | undefined = turns + 2; after !== undefined;) {
    const { checkpoints, next } = await list({ ...query, after })
    found.push(...checkpoints)
    after = next === undefined ? undefined : Number(next)
  }
  return found
}

describe('the checkpoints of a run', () => {
  it('are listed by name, kind, time and validity, and by pages, without anything of its state', async () => {
    const found = await all({ limit: 50 })
    expect(found.map(({ seq }) => seq)).toEqual(Array.from({ length: turns + 2 }, (_, at) => turns + 1 - at))
    expect(found[0]).toMatchObject({
      trigger: 'commit',
      turn: turns,
      whole: true,
      valid: true,
      owner: 'laptop',
    })
    expect(await all({ label: 'draft' })).toMatchObject([{ seq: 4, trigger: 'label', turn: 3, whole: false }])
    expect(await all({ trigger: 'start' })).toMatchObject([{ seq: 0, time: 1 }])
    expect(await all({ to: 1 })).toEqual([])
    expect(await all({ valid: 'false' })).toEqual([])
    expect((await list({})).checkpoints.length).toBe(50)
    expect(JSON.stringify(found)).not.toContain('note ')
  })

  it('are read without opening the run', async () => {
    const restores = (): number => world.edge.process.log().split(`"type":"restore"`).length - 1
    const isListed = async (): Promise<true | undefined> =>
      (await edge.get('/v1/runs')).runs.length > 0 || undefined
    await poll(isListed, { timeoutMs: 30_000, message: () => 'the run is not listed' })
    await world.edge.process.kill()
    await world.edge.start()
    expect((await all({})).length).toBe(turns + 2)
    expect(restores()).toBe(0)
    // What opens it is seen.
    await edge.get('/v1/runs/{run}/asks', { params: { path: { run } } })
    await poll(() => (restores() > 0 ? true : undefined), { timeoutMs: 10_000, message: () => 'no restore' })
  })

  it('are those of a run that is there', async () => {
    const of = (name: string, query = '') => world.ask(`/v1/runs/${name}/checkpoints${query}`, undefined)
    expect((await of(run)).code).toBe('unauthorized')
    const codeOf = async (name: string, query = '') =>
      (await world.ask(`/v1/runs/${name}/checkpoints${query}`, await world.token())).code
    expect(await codeOf('ana.unheard-of')).toBe('run_unknown')
    for (const wrong of ['?limit=0', '?limit=501', '?after=x', '?from=-1'])
      expect([wrong, await codeOf(run, wrong)]).toEqual([wrong, 'request_refused'])
  })
})
