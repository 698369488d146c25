import { edgeClient } from '@waystone/browser'
import { headOfLine, parseOwnerId, parseRunId, type Remote } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, token, type World } from './world.ts'

describe('a page of another origin', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('has its browser ask for leave once for all that it pulls and pushes of a run, and once for its claims', async () => {
    const device = await world.device()
    const preflights: string[] = []
    const claims: string[] = []
    const held = world.effects.hold('/effect/walk-2')
    device.network.decide((_, { method, path }) => {
      if (method === 'OPTIONS') preflights.push(path.replace('/v1/runs/asked-once', ''))
      if (path.endsWith('/claim')) claims.push(method)
      // The run stands still once the step under way has ended.
      if (path.endsWith('/claim') && method === 'GET') held.release()
      return 'pass'
    })
    const tab = await device.open()
    await tab.evaluate(
      `rig.start('walker', { server: '${world.effects.url}', steps: 4 }, { id: 'asked-once' })`,
    )
    await held.arrived
    // Opened three times, each time with a log that has grown by an opening.
    await tab.evaluate(`rig.run('asked-once').then((run) => run.synced())`)
    for (const tries of [1, 2]) {
      await tab.evaluate(`rig.restartWorker()`)
      await until(tab, 'asked-once', `view.head.seq >= ${String(tries)} && view.live.calls.length === 1`)
      await tab.evaluate(`rig.run('asked-once').then((run) => run.synced())`)
    }
    // The step is waited for, however long the browser takes to ask.
    const moved = await tab.evaluate<Tried>(`rig.move('asked-once', 'edge', { drainMs: 60_000 })`)
    expect(moved).toEqual({ ok: true })
    expect(await resultOf(tab, 'asked-once')).toBe(4)
    expect(preflights.filter((path) => path.startsWith('/entries'))).toEqual(['/entries'])
    expect(preflights.filter((path) => path === '/claim')).toEqual(['/claim'])
    // Leave was there before the run stood still: it was asked for what the edge has against it.
    expect(claims).toEqual(['OPTIONS', 'GET', 'POST'])
    await device.close()
  })
})

describe('the client of this version', () => {
  let world: World
  let network: LossyProxy
  let remote: Remote
  const [run, asking] = [parseRunId('walked'), parseOwnerId('asking')]
  const asked: string[] = []
  beforeAll(async () => {
    world = await startWorld()
    const device = await world.device()
    const tab = await device.open()
    await tab.evaluate(`rig.start('walker', { server: '${world.effects.url}', steps: 3 }, { id: '${run}' })`)
    await resultOf(tab, run)
    await tab.evaluate(`rig.run('${run}').then((run) => run.synced())`)
    await device.close()
    network = await startLossyProxy(() => world.edge().url)
    network.decide((_, { method, path }) => {
      asked.push(`${method} ${path.replace(`/v1/runs/${run}`, '')}`)
      return 'pass'
    })
    remote = edgeClient({ url: network.url, token: () => token }, asking).remote
  })
  afterAll(async () => {
    await network.close()
    await world.close()
  })
  const firstFrom = async (from: number): Promise<number | undefined> => {
    asked.length = 0
    const { lines } = await remote.pull(run, from, asking)
    return lines[0] && headOfLine(lines[0]).seq
  }

  it('pulls what comes after an entry at one address', async () => {
    for (const from of [1, 2, 3]) {
      expect(await firstFrom(from)).toBe(from)
      expect(asked).toEqual(['GET /entries'])
    }
    // Behind the last entry there is nothing.
    expect(await firstFrom(100)).toBeUndefined()
    expect(asked).toEqual(['GET /entries'])
  })

  it('gets the same from an edge that knows `from` alone, and blockers from one that tells them elsewhere', async () => {
    network.translate(({ path, headers }) => {
      const { 'last-event-id': _, ...known } = headers
      return { path: path.endsWith('/claim') ? `${path}-is-no-route` : path, headers: known }
    })
    expect(await firstFrom(2)).toBe(2)
    expect(asked).toEqual(['GET /entries', 'GET /entries?from=2'])
    // It is known by now.
    expect(await firstFrom(3)).toBe(3)
    expect(asked).toEqual(['GET /entries?from=3'])
    expect(await firstFrom(100)).toBeUndefined()
    expect(await remote.blockers(run)).toEqual([])
    expect(asked.slice(-2)).toEqual(['GET /claim', 'GET /blockers'])
  })
})
