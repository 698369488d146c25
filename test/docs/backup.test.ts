import { edgeApi, type EdgeApi } from '@waystone/client'
import { parseRunId, RunHandle, type Head, type RunId } from '@waystone/core'
import { nodeRandom } from '@waystone/node'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { blankRuntime } from '../harness/blank-runtime.ts'
import { poll } from '../harness/poll.ts'
import { firstEntry, note } from '../security/asking-run.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from '../security/security-world.ts'
import { readPages } from './examples.ts'

const root = join(import.meta.dirname, '../..')
const names = ['ana.1', 'ana.2', 'bob.1'].map(parseRunId)
const bytes = randomBytes(70_000)
const hash = createHash('sha256').update(bytes).digest('hex')

let world: SecurityWorld
let edge: EdgeApi
let code: string
let backUp: (edge: EdgeApi, folder: string, after?: string) => Promise<void>
let folder: string
const heads = new Map<RunId, Head>()

beforeAll(async () => {
  const page = readPages(join(root, 'docs')).find(({ name }) => name === 'running-the-edge')
  const example = page?.examples.find(({ name }) => name === 'backup.ts') ?? expect.fail('no example')
  // Inside the repository, so that the packages are found as an application finds them.
  await mkdir(join(root, '.waystone'), { recursive: true })
  code = await mkdtemp(join(root, '.waystone/backup-'))
  await writeFile(join(code, example.name), example.code)
  ;({ backUp } = (await import(join(code, example.name))) as { backUp: typeof backUp })
  world = await startSecurityWorld()
  edge = edgeApi({ url: world.edge.process.url, token: () => world.token() })
  for (const run of names)
    heads.set(run, await world.push('acme', run, [firstEntry(run, { text: 'first' }), note(0, 'low water')]))
  const path = { run: 'ana.2', hash }
  await edge.put('/v1/runs/{run}/blobs/{hash}', { params: { path }, body: bytes })
  const isListed = async (): Promise<true | undefined> =>
    (await edge.get('/v1/runs')).runs.length === names.length || undefined
  await poll(isListed, { timeoutMs: 30_000, message: () => 'the runs are not listed' })
})
afterAll(async () => {
  await world.close()
  await rm(code, { recursive: true, force: true })
})

beforeEach(async () => {
  folder = await mkdtemp(join(code, 'kept-'))
})

/** The state of a run that is restored from what was kept of it, anywhere else. */
async function restored(run: RunId): Promise<unknown> {
  const runtime = await blankRuntime(laptop)
  const text = await readFile(join(folder, run, 'run.jsonl'), 'utf8')
  const again = await runtime.importRun('again' as RunId, text.split('\n'))
  return (await RunHandle.open(again, runtime, nodeRandom)).view()?.state
}

/** The edge, whose exports break off after so many lines. */
function breakingOff(lines: number): EdgeApi {
  const ask = edge.get as (path: string, options?: object) => Promise<unknown>
  const get = async (path: string, options?: object): Promise<unknown> => {
    const answer = await ask(path, options)
    if (path !== '/v1/export') return answer
    const text = await new Response(answer as ReadableStream).text()
    return new Blob([`${text.split('\n').slice(0, lines).join('\n')}\n`]).stream()
  }
  return { ...edge, get: get as EdgeApi['get'] }
}

describe('the backup of docs/running-the-edge.md', () => {
  it('keeps files from which each run is restored, also when it is made again', async () => {
    for (const _ of ['first', 'second']) {
      await backUp(edge, folder)
      for (const run of names) expect(await restored(run)).toEqual({ text: 'first', note: 'low water' })
    }
    expect(await readdir(folder)).toEqual(names)
    expect((await readdir(join(folder, 'ana.2'))).toSorted()).toEqual([hash, 'run.jsonl'].toSorted())
    expect(await readFile(join(folder, 'ana.2', hash))).toEqual(bytes)
  })

  it('has what came since in the place of what was there, and goes on after a run', async () => {
    await backUp(edge, folder)
    const [first, , last] = names as [RunId, RunId, RunId]
    for (const run of [first, last])
      heads.set(run, await world.push('acme', run, [note(1, 'high water')], heads.get(run)))
    await backUp(edge, folder, first)
    expect([await restored(first), await restored(last)]).toEqual([
      { text: 'first', note: 'low water' },
      { text: 'first', note: 'high water' },
    ])
  })

  it('leaves the file of a run as it was when not all of it came, and can be made again', async () => {
    await backUp(edge, folder)
    const states = () => Promise.all(names.map(restored))
    const before = await states()
    // A header and two entries each, or three: this is within the second run.
    await expect(backUp(breakingOff(6), folder)).rejects.toMatchObject({ code: 'unreachable' })
    expect(await states()).toEqual(before)
    await backUp(edge, folder)
    expect(await readdir(join(folder, 'bob.1'))).toEqual(['run.jsonl'])
  })
})
