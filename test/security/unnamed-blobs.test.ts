import { parseDigest, parseRunId, type Digest } from '@waystone/core'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { firstEntry, note } from './asking-run.ts'
import { changeDatabase, hasTable, objectDatabases } from '../harness/edge-databases.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.blobs')
const path = `/v1/runs/${run}`
let world: SecurityWorld
let token: string
beforeAll(async () => {
  world = await startSecurityWorld()
  token = await world.token()
})
afterAll(() => world.close())

async function put(bytes: number): Promise<Digest> {
  const body = Uint8Array.from(randomBytes(bytes))
  const hash = parseDigest(createHash('sha256').update(body).digest('hex'))
  expect((await world.ask(`${path}/blobs/${hash}`, token, { method: 'PUT', body })).status).toBe(204)
  return hash
}

/** A small blob, and a large one. */
const putBoth = async (): Promise<readonly Digest[]> => [await put(1_000), await put(70_000)]

/** Makes blobs as old as they are when they may go, and their time come. */
async function age(hashes: readonly Digest[]): Promise<void> {
  const list = JSON.stringify(hashes)
  const { persistTo } = world.edge
  await objectDatabases(persistTo, 'r2/miniflare-R2BucketObject', (database) =>
    database
      .prepare(
        "UPDATE _mf_objects SET uploaded = 1 WHERE replace(key, 'tenants/acme/runs/ana.blobs/', '') IN (SELECT value FROM json_each(?))",
      )
      .run(list),
  )
  await objectDatabases(persistTo, 'do/waystone-security-RunObject', (database) => {
    if (!hasTable(database, 'waystone_blobs')) return
    database
      .prepare('UPDATE waystone_blobs SET time = 1 WHERE hash IN (SELECT value FROM json_each(?))')
      .run(list)
    database.exec(
      "UPDATE waystone_due SET at = 1 WHERE name = 'waystone.blobs'; DELETE FROM _cf_METADATA WHERE key = 1",
    )
  })
  // An alarm that is not set any more is set to what is due when the object wakes.
  changeDatabase(join(persistTo, 'v3/do/waystone-security-RunObject/metadata.sqlite'), (alarms) =>
    alarms.exec('DELETE FROM _cf_ALARM'),
  )
}

it('blobs that nothing names go when they are older than a week; those that anything names, and newer ones, stay', async () => {
  const [inEntries, inState, inInbox, lost] = [
    await putBoth(),
    await putBoth(),
    await putBoth(),
    await putBoth(),
  ]
  const head = await world.push('acme', run, [firstEntry(run, { artifacts: inState })])
  await world.push('acme', run, [{ ...note(0, 'one'), blobs: inEntries }], head)
  const item = { type: 'message', name: 'look', value: inInbox, id: 'i', by: 'ana', time: 1 }
  const sent = await world.ask(`${path}/inbox`, token, { method: 'POST', body: JSON.stringify(item) })
  expect(sent.status).toBe(204)
  const fresh = await putBoth()

  await world.edge.process.kill()
  await age([...inEntries, ...inState, ...inInbox, ...lost])
  await world.edge.start()
  const codesOf = (hashes: readonly Digest[]): Promise<readonly (string | undefined)[]> =>
    Promise.all(hashes.map(async (hash) => (await world.ask(`${path}/blobs/${hash}`, token)).code))
  await poll(async () => (await codesOf(lost)).every((code) => code === 'blob_missing') || undefined, {
    timeoutMs: 90_000,
    message: () => 'the lost blobs are still there',
  })
  const others = [...inEntries, ...inState, ...inInbox, ...fresh]
  expect(await codesOf(others)).toEqual(others.map(() => undefined))
})
