import { createHash } from 'node:crypto'
import { edgeClient } from '@waystone/browser'
import { parseOwnerId } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PushedRun, pusher } from '../bench/_pushed-run.ts'
import { poll } from '../harness/poll.ts'
import { startWorld, type World } from './world.ts'

/** Runs with logs of about 4 MB each. */
const runCount = 20
const entriesEach = 4_000
const entriesAPush = 500
/** How much workerd may grow, in bytes: it has a database, a cache and what it keeps for each object beside its logs. */
const grownBytesMax = 300 * 1024 ** 2

/** What an object of the tests tells of what it keeps. */
interface Stored {
  readonly rows: number
  readonly away: number
  readonly objects: number
}

describe('many objects with long logs in one isolate', () => {
  let world: World
  const digests = new Map<string, string>()
  const runs = Array.from({ length: runCount }, (_, number) => new PushedRun(`own-long-${String(number)}`))
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const remote = (device: string = pusher) => {
    const token = (world.headers['authorization'] ?? '').slice('Bearer '.length)
    return edgeClient({ url: world.edge().url, token: () => token }, device).remote
  }
  const stored = async ({ id }: PushedRun): Promise<Stored> => {
    const told = await fetch(`${world.edge().url}/own/${id}/kept?run=${id}`)
    return (await told.json()) as Stored
  }
  const each = async (work: (run: PushedRun) => Promise<void>): Promise<void> => {
    const left = [...runs]
    const worker = async (): Promise<void> => {
      for (let run = left.pop(); run !== undefined; run = left.pop()) await work(run)
    }
    await Promise.all(Array.from({ length: 4 }, worker))
  }
  /** The SHA-256 of all lines from 0 on, read page by page as a device does. */
  const readBack = async ({ id }: PushedRun): Promise<string> => {
    const hash = createHash('sha256')
    for (let from = 0; from <= entriesEach;) {
      const { lines } = await remote('reader').pull(id, from, parseOwnerId('reader'))
      expect(lines.length).toBeGreaterThan(0)
      for (const line of lines) hash.update(line)
      from += lines.length
    }
    return hash.digest('hex')
  }

  it(
    'move their history into the bucket, also over a kill, and are read as they were',
    { timeout: 240_000 },
    async () => {
      await each(async (run) => {
        const hash = createHash('sha256')
        hash.update(await run.begin(remote()))
        for (let pushed = 0; pushed < entriesEach; pushed += entriesAPush)
          for (const line of await run.push(remote(), entriesAPush)) hash.update(line)
        digests.set(run.id, hash.digest('hex'))
      })
      // Killed somewhere in the middle of it.
      await poll(
        async () => ((await Promise.all(runs.map(stored))).some(({ away }) => away > 0) ? true : undefined),
        {
          everyMs: 250,
          timeoutMs: 60_000,
          message: () => 'no history moves',
        },
      )
      await world.killEdge()
      await world.startEdge()
      const idleBytes = world.edge().memory()
      await each(async (run) => {
        await poll(
          async () => {
            const { rows, away } = await stored(run)
            return away > 0 && rows - away <= 4 ? true : undefined
          },
          { everyMs: 500, timeoutMs: 90_000, message: async () => JSON.stringify(await stored(run)) },
        )
        expect(await readBack(run)).toBe(digests.get(run.id))
      })
      expect(world.edge().memory()).toBeLessThan(idleBytes + grownBytesMax)
    },
  )

  it('go on from there, and leave nothing in the bucket when they are deleted', async () => {
    const [run] = runs
    if (run === undefined) throw new Error('no run')
    await run.push(remote(), 10)
    const { head } = await remote('reader').pull(run.id, entriesEach, parseOwnerId('reader'))
    expect(head?.seq).toBe(entriesEach + 10)
    expect((await stored(run)).objects).toBeGreaterThan(0)
    const deleted = await fetch(`${world.edge().url}/v1/runs/${run.id}`, {
      method: 'DELETE',
      headers: world.headers,
    })
    expect(deleted.status).toBe(204)
    expect((await stored(run)).objects).toBe(0)
  })
})
