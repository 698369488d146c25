import { edgeClient } from '@waystone/browser'
import { parseLine, parseOwnerId, parseRunId, type Digest } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { writer } from './app/edge-agents.ts'
import { pushRun } from './pushed-run.ts'
import { startWorld, type World } from './world.ts'

const run = parseRunId('written')
const device = parseOwnerId('a-reader')

describe('a run that grows at the edge', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('has snapshots, from which a device begins that has nothing of it, and the edge itself after a kill', async () => {
    await pushRun(world, run, writer, { pages: 40 })
    const token = (world.headers['authorization'] ?? '').slice('Bearer '.length)
    const { remote, blobs } = edgeClient({ url: world.edge().url, token: () => token }, device)
    const linesFrom = async (from: number | undefined) =>
      (await remote.pull(run, from, device)).lines.map(parseLine)
    const end = async () => (await remote.pull(run, 10_000, device)).head
    const head = await poll(
      async () => {
        const now = await end()
        const last = now ? await linesFrom(Math.max(0, now.seq - 1)) : []
        const isDone = last.some(
          ({ kind, body }) => kind === 'commit' && JSON.stringify(body).includes('"done"'),
        )
        // A snapshot may follow the end: it is of what was there when it was begun.
        const isSaved = (await linesFrom(undefined))[0]?.seq
        return isDone && last.at(-1)?.seq === now?.seq && (isSaved ?? 0) > 20 ? now : undefined
      },
      { timeoutMs: 60_000, message: async () => `the run is at entry ${String((await end())?.seq)}` },
    )
    const newest = await linesFrom(undefined)
    const [first] = newest
    expect(first?.seq).toBeGreaterThan(20)
    const snapshot = newest.find(({ kind }) => kind === 'snapshot')
    const chunks = (snapshot?.blobs ?? []) as readonly Digest[]
    expect(chunks.length).toBeGreaterThan(5)
    expect(await blobs.missing(run, chunks)).toEqual([])
    for (const chunk of chunks) expect((await blobs.get(run, chunk))?.byteLength).toBeGreaterThan(0)
    // All of it can still be had, since the agent keeps its history.
    expect((await linesFrom(0))[0]?.seq).toBe(0)

    await world.killEdge()
    await world.startEdge()
    expect(await end()).toEqual(head)
    expect((await linesFrom(undefined))[0]).toEqual(first)
  })
})
