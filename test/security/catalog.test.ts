import { parseRunId, type EntryDraft, type RunId } from '@waystone/core'
import { createHash, randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { serialize } from 'node:v8'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { firstEntry, note } from './asking-run.ts'
import { objectDatabases, runDatabase } from '../harness/edge-databases.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

interface Listed {
  readonly run: string
  readonly agent: string
  readonly status: string
  readonly updated: number
}

let world: SecurityWorld
let token: string
beforeAll(async () => {
  world = await startSecurityWorld()
  token = await world.token()
})
afterAll(() => world.close())

async function list(
  query = '',
  as = token,
): Promise<{ readonly runs: readonly Listed[]; readonly next?: string }> {
  const answer = await world.ask(`/v1/runs${query}`, as)
  expect(answer.status, answer.text).toBe(200)
  return JSON.parse(answer.text) as { runs: Listed[]; next?: string }
}

/** Waits until the list has exactly these runs: they tell it by an alarm. */
async function listed(names: readonly string[], query = '', as = token): Promise<readonly Listed[]> {
  const wanted = JSON.stringify([...names].sort())
  const look = async (): Promise<readonly Listed[] | undefined> => {
    const { runs } = await list(query, as)
    return JSON.stringify(runs.map(({ run }) => run).sort()) === wanted ? runs : undefined
  }
  const message = async (): Promise<string> =>
    `expected ${wanted}, listed are ${JSON.stringify(await list(query, as))}`
  return poll(look, { timeoutMs: 30_000, message })
}

const cancel = (run: string) =>
  world.ask(`/v1/runs/${run}/inbox`, token, {
    method: 'POST',
    body: JSON.stringify({ type: 'cancel', reason: '', id: 'c', by: 'b', time: 1 }),
  })

describe('the list of runs', () => {
  const names = ['ana.1', 'ana.2', 'bob.1']
  beforeAll(async () => {
    for (const name of names) await world.begin('acme', parseRunId(name))
    await world.begin('globex', parseRunId('ana.1'))
  })

  it('has the runs of a tenant, filtered and by pages', async () => {
    const runs = await listed(names)
    expect(runs[0]).toMatchObject({
      agent: 'asker',
      status: 'waiting',
      place: 'browser',
      valid: true,
      labels: [],
    })
    await listed(names, '?status=waiting&agent=asker&place=browser&valid=true&from=1')
    for (const nothing of [
      '?status=done',
      '?agent=other',
      '?place=edge',
      '?label=x',
      '?valid=false',
      '?to=1',
    ])
      await listed([], nothing)
    const seen: string[] = []
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = await list(`?limit=1${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`)
      seen.push(...page.runs.map(({ run }) => run))
      after = page.next
    }
    expect(seen.sort()).toEqual(names)
    const times = (await list()).runs.map(({ updated }) => updated)
    expect(times).toEqual([...times].sort((a, b) => b - a))
    for (const wrong of ['?limit=0', '?limit=501', '?limit=x', '?from=-1', '?after=nonsense'])
      expect([wrong, (await world.ask(`/v1/runs${wrong}`, token)).code]).toEqual([wrong, 'request_refused'])
  })

  it('shows a token only the runs that it is for, and a tenant only its own', async () => {
    await listed(['ana.1', 'ana.2'], '', await world.token({ runs: ['ana.*'] }))
    await listed(['ana.2', 'bob.1'], '?run=*', await world.token({ runs: ['bob.1', 'ana.2', 'nobody'] }))
    await listed([], '?run=ana.1', await world.token({ runs: [] }))
    const many = Array.from({ length: 99 }, (_, index) => `nobody.${String(index)}*`)
    await listed(['ana.2'], '', await world.token({ runs: [...many, 'ana.2'] }))
    await listed(['ana.1'], '', await world.token({ tenant: 'globex' }))
    await listed([], '', await world.token({ tenant: 'nobody' }))
    // Filters and pages are the same for whoever sees some runs only.
    const some = await world.token({ runs: ['ana.*', 'ana.1', 'bob.1', 'aaa*'] })
    for (const filter of ['status=waiting', 'agent=asker', 'place=browser', 'valid=true', 'from=1'])
      await listed(names, `?${filter}`, some)
    for (const filter of ['status=done', 'label=x', 'valid=false', 'to=1'])
      await listed([], `?${filter}`, some)
    const seen: string[] = []
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = await list(
        `?limit=1&status=waiting${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`,
        some,
      )
      seen.push(...page.runs.map(({ run }) => run))
      after = page.next
    }
    expect(seen).toEqual(names)
  })

  it('shows all runs that begin as a token says, also beside one of just that name', async () => {
    const bobs = ['bob', 'bob.1', 'bobby']
    for (const name of bobs) await world.begin('hooli', parseRunId(name))
    await listed(bobs, '', await world.token({ tenant: 'hooli' }))
    const orders = [
      ['bob', 'bob*'],
      ['bob*', 'bob'],
      ['bob.*', 'bob', 'bobby', 'bob*'],
    ]
    for (const runs of orders) {
      const some = await world.token({ tenant: 'hooli', runs })
      expect([runs, (await list('', some)).runs.map(({ run }) => run)]).toEqual([runs, bobs])
      const { text } = await world.ask('/v1/export', some)
      const exported = [...text.matchAll(/"kind":"export".*?"run":"([^"]+)"/g)].map(([, run]) => run)
      expect([runs, exported]).toEqual([runs, bobs])
    }
  })

  it('counts them, for who may see all of them', async () => {
    expect((await world.ask('/v1/metrics', token)).text).toContain('waystone_runs{status="waiting"} 3')
    expect((await world.ask('/v1/metrics', await world.token({ runs: ['ana.*'] }))).code).toBe('forbidden')
  })

  it('forgets a run that is deleted, and all of them when the tenant is', async () => {
    await world.ask('/v1/runs/ana.2', token, { method: 'DELETE' })
    await listed(['ana.1', 'bob.1'])
    expect((await world.ask('/v1/metrics', token)).text).toContain('waystone_runs{status="waiting"} 2')
    const some = await world.token({ runs: ['ana.*'] })
    expect((await world.ask('/v1/runs', some, { method: 'DELETE' })).code).toBe('forbidden')
    expect((await world.ask('/v1/runs', token, { method: 'DELETE' })).status).toBe(202)
    await listed([])
    for (const name of names)
      expect((await world.ask(`/v1/runs/${name}/asks`, token)).code).toBe('run_deleted')
    await listed(['ana.1'], '', await world.token({ tenant: 'globex' }))
  })
})

it('deletes with a tenant the runs, too, of which only blobs have arrived', async () => {
  const theirs = await world.token({ tenant: 'initech' })
  const blobs = [100, 70_000].map((size) => randomBytes(size))
  const pathOf = (bytes: Uint8Array): string => {
    const hash = createHash('sha256').update(bytes).digest('hex')
    return `/v1/runs/blobs.${String(bytes.byteLength)}/blobs/${hash}`
  }
  for (const body of blobs)
    expect((await world.ask(pathOf(body), theirs, { method: 'PUT', body })).status).toBe(204)
  expect((await list('', theirs)).runs).toEqual([])
  // The catalog is told of them by an alarm.
  const areDeleted = async (): Promise<true | undefined> => {
    expect((await world.ask('/v1/runs', theirs, { method: 'DELETE' })).status).toBe(202)
    const codes = await Promise.all(blobs.map(async (bytes) => (await world.ask(pathOf(bytes), theirs)).code))
    return codes.every((code) => code === 'run_deleted') ? true : undefined
  }
  await poll(areDeleted, { timeoutMs: 60_000, message: () => 'the blobs are still there' })
})

it('deletes the runs of a tenant some at a time, whatever ends an alarm, and all that it can when one cannot be', async () => {
  const tenant = 'many'
  const theirs = await world.token({ tenant })
  const first = parseRunId('a.first')
  await world.begin(tenant, first)
  await listed([first], '', theirs)
  await world.edge.process.kill()
  await databases('RunObject', (database) =>
    database.exec("UPDATE waystone_run SET id = 'another' WHERE id = 'a.first'"),
  )
  await databases('Catalog', (database) => {
    if (!database.prepare("SELECT 1 FROM waystone_catalog WHERE run = 'a.first'").get()) return
    const begun = database.prepare('INSERT INTO waystone_catalog_begun (run) VALUES (?)')
    for (let run = 0; run < 650; run++) begun.run(`many.${String(run)}`)
    // As an alarm leaves it that was given up: nothing wakes this object any more.
    database.exec('CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID')
    database.prepare("INSERT INTO _cf_KV (key, value) VALUES ('deleting', ?)").run(serialize(tenant))
  })
  await world.edge.start()
  await listed([first], '', theirs)
  const left = (): readonly string[] =>
    [...world.edge.process.log().matchAll(/an alarm has left (\d+) runs/g)].map(([, runs]) => String(runs))
  await poll(() => left().includes('1') || undefined, {
    timeoutMs: 120_000,
    message: () => world.edge.process.log(),
  })
  expect(left().slice(0, 3)).toEqual(['352', '52', '1'])
  expect(world.edge.process.log()).toContain('1 runs were not deleted yet: this object has run another')

  await world.edge.process.kill()
  await databases('RunObject', (database) =>
    database.exec("UPDATE waystone_run SET id = 'a.first' WHERE id = 'another'"),
  )
  await world.edge.start()
  await listed([], '', theirs)
})

it('keeps what comes while a run of before cannot be deleted yet, which is tried again later each time', async () => {
  const tenant = 'steady'
  const theirs = await world.token({ tenant })
  const [stuck, later, last] = ['a.stuck', 'b.later', 'c.last'].map(parseRunId) as [RunId, RunId, RunId]
  const name = (from: string, to: string): Promise<void> =>
    databases('RunObject', (database) =>
      database.prepare('UPDATE waystone_run SET id = ? WHERE id = ?').run(to, from),
    )
  const changeStuck = async (from: string, to: string): Promise<void> => {
    await world.edge.process.kill()
    await name(from, to)
    await world.edge.start()
  }
  const putKeyring = () =>
    world.ask('/v1/keyring', theirs, { method: 'PUT', body: JSON.stringify({ keyring: { version: 1 } }) })
  const keyring = async (): Promise<unknown> => JSON.parse((await world.ask('/v1/keyring', theirs)).text)
  const deleteAll = async (): Promise<void> =>
    expect((await world.ask('/v1/runs', theirs, { method: 'DELETE' })).status).toBe(202)
  const waits = (): readonly number[] =>
    [...world.edge.process.log().matchAll(/the next comes in (\d+) s/g)].map(([, seconds]) => Number(seconds))
  const alarms = (count: number): Promise<true> =>
    poll(() => waits().length >= count || undefined, {
      timeoutMs: 60_000,
      message: () => world.edge.process.log(),
    })
  await world.begin(tenant, stuck)
  await listed([stuck], '', theirs)
  expect((await putKeyring()).status).toBe(204)
  await changeStuck(stuck, 'another')
  await deleteAll()
  await alarms(1)
  expect(await keyring()).toEqual({ keyring: null })

  expect((await putKeyring()).status).toBe(204)
  await world.begin(tenant, later)
  await listed([stuck, later], '', theirs)
  await alarms(2)
  await listed([stuck, later], '', theirs)
  expect(await keyring()).toEqual({ keyring: { version: 1 } })
  const [first = 0, second = 0] = waits()
  expect(second).toBeGreaterThan(first)

  await deleteAll()
  await listed([stuck], '', theirs)
  expect(await keyring()).toEqual({ keyring: null })
  await world.begin(tenant, last)
  await changeStuck('another', stuck)
  await listed([last], '', theirs)
})

/** The databases of a class of objects. */
function databases(of: string, work: (database: DatabaseSync) => void): Promise<void> {
  return objectDatabases(world.edge.persistTo, `do/waystone-security-${of}`, work)
}

it('takes over the labels as an earlier catalog has stored them', async () => {
  const run = parseRunId('labelled.1')
  const label: EntryDraft = { kind: 'label', body: { path: '0/first', label: 'first draft' } }
  await world.push('acme', run, [firstEntry(run), label])
  await listed([run], '?label=first%20draft')
  await world.edge.process.kill()
  await databases('Catalog', (database) =>
    database.exec(`DROP TABLE waystone_catalog_labels;
      CREATE TABLE waystone_labels (label TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (label, run)) WITHOUT ROWID;`),
  )
  await world.edge.start()
  await listed([run], '?label=first%20draft')
  await world.ask(`/v1/runs/${run}`, token, { method: 'DELETE' })
  await listed([], '?label=first%20draft')
})

describe('a run that is damaged at the edge', () => {
  /** Changes what is stored of a run while nobody has it open: the last row of its log. */
  const damage = async (run: string): Promise<void> => {
    await world.edge.process.kill()
    await runDatabase(world.edge.persistTo, 'do/waystone-security-RunObject', run, (database) =>
      database.exec(`UPDATE waystone_log SET lines = CAST(replace(CAST(lines AS TEXT), '"format"', '"tamrof"') AS BLOB)
        WHERE seq = (SELECT max(seq) FROM waystone_log)`),
    )
    await world.edge.start()
    // Who opens it finds it.
    await world.ask(`/v1/runs/${run}/asks`, token)
  }

  it('is not valid until what is missing has come back', async () => {
    const run = parseRunId('damaged.1')
    const first = firstEntry(run, { text: 'first' })
    const head = await world.push('acme', run, [first])
    const notes = [note(0, 'one'), note(1, 'two')]
    await world.push('acme', run, notes, head)
    await listed([run], '?valid=true&agent=asker&status=running')
    await damage(run)
    await listed([run], '?valid=false')
    await world.push('acme', run, notes, head)
    await listed([run], '?valid=true&status=running')
    await listed([], '?valid=false')
  })

  it('is not valid either, and still listed, when nothing of it can be read', async () => {
    const run = parseRunId('damaged.2')
    await world.push('acme', run, [firstEntry(run, { text: 'a note' })])
    await listed([run, 'damaged.1'], '?valid=true&status=running')
    await damage(run)
    await listed([run], '?valid=false')
  })
})

it('is equal to the runs, whenever the edge is killed', async () => {
  const names = Array.from({ length: 24 }, (_, index) => `killed.${String(index)}`)
  const at = '?agent=asker&status=waiting'
  let kills = 0
  for (const [index, name] of names.entries()) {
    const began = world.begin('acme', parseRunId(name)).catch(() => undefined)
    if (index % 4 !== 3) {
      await began
      continue
    }
    // As soon as the run is there, and at other moments: somewhere between its entries and the list.
    if (index % 8 === 3) await began
    await world.edge.process.kill()
    kills++
    await began
    await world.edge.start()
  }
  expect(kills).toBe(6)
  const there: string[] = []
  for (const name of names)
    if ((await world.ask(`/v1/runs/${name}/entries?from=0`, token)).text !== '') there.push(name)
  expect(there.length).toBeGreaterThanOrEqual(18)
  for (const run of await listed(there, at)) expect([run.run, run.status]).toEqual([run.run, 'waiting'])
  // What is only in the inbox changes no status: the owner, a device, has to take it.
  expect((await cancel(there[0] ?? '')).status).toBe(204)
  await listed(there, at)
})
