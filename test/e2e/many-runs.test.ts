import { edgeClient } from '@waystone/browser'
import { parseOwnerId, parseRunId, type Follow, type RunId, type WatchEvent } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { poll } from '../harness/poll.ts'
import { questioner } from './app/edge-agents.ts'
import { pushedBy, pushRun } from './pushed-run.ts'
import { startWorld, token, type World } from './world.ts'

/** A run that a device follows, and what it has heard. */
interface Followed extends Follow {
  readonly run: RunId
  readonly heard: WatchEvent[]
  readonly states: boolean[]
}

describe('a device that follows many runs', () => {
  let world: World
  const networks: LossyProxy[] = []
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(async () => {
    for (const network of networks) await network.close()
    await world.close()
  })

  /** A device behind a network of its own. */
  async function device(name: string) {
    const network = await startLossyProxy(() => world.edge().url)
    networks.push(network)
    const me = parseOwnerId(name)
    const { remote } = edgeClient({ url: network.url, token: () => token }, me)
    const follow = (run: string): Followed => {
      const heard: WatchEvent[] = []
      const states: boolean[] = []
      const next = (): number =>
        Math.max(0, ...heard.map((event) => (event.type === 'lines' ? event.from + event.lines.length : 0)))
      const followed = remote.follow(parseRunId(run), {
        as: me,
        from: next,
        onEvent: (event) => heard.push(event),
        onState: (online) => states.push(online),
      })
      return { run: parseRunId(run), heard, states, ...followed }
    }
    return { network, remote, follow }
  }
  const begin = (run: string, leaseMs = 3_600_000): Promise<void> =>
    pushRun(world, run, questioner, {}, { whenGone: 'offer', leaseMs })
  const names = (prefix: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => `${prefix}-${String(at)}`)
  const hasLines = ({ heard }: Followed): boolean => heard.some(({ type }) => type === 'lines')
  const until = (holds: () => boolean, message: string): Promise<true> =>
    poll(() => Promise.resolve(holds() || undefined), { timeoutMs: 90_000, message: () => message })
  /** A device that follows runs which have begun, and has heard of each. */
  async function following(name: string, runs: readonly string[], before?: (network: LossyProxy) => void) {
    await Promise.all(runs.map((run) => begin(run)))
    const { network, follow } = await device(name)
    before?.(network)
    const followed = runs.map(follow)
    await until(() => followed.every(hasLines), 'not every run was heard')
    return { network, follow, followed }
  }
  const send = (run: string, id: string): Promise<Response> =>
    fetch(`${world.edge().url}/v1/runs/${run}/inbox`, {
      method: 'POST',
      headers: world.headers,
      body: JSON.stringify({ type: 'message', id, by: 'ana', time: 0, name: 'poke', value: 1 }),
    })

  it('has one socket for all of them, which ends with the last', async () => {
    const { network, follow, followed } = await following('one-socket', names('many', 50))
    expect(network.webSockets()).toEqual({ opened: 1, open: 1 })
    for (const { run, heard } of followed)
      for (const event of heard)
        if (event.type === 'lines') expect(new TextDecoder().decode(event.lines[0])).toContain(`"${run}"`)
    for (const one of followed.slice(1)) one.close()
    const late = follow('many-7')
    await until(() => hasLines(late), 'the run that came later was not heard')
    expect(network.webSockets()).toEqual({ opened: 1, open: 1 })
    late.close()
    followed[0]?.close()
    await until(() => network.webSockets().open === 0, 'the socket is still open')
  })

  it('has one again when it was lost, on which all runs go on', async () => {
    const runs = names('lost', 10)
    const { network, followed } = await following(pushedBy, runs)
    network.cut()
    await until(() => followed.every(({ states }) => states.at(-1) === false), 'nobody notices')
    network.mend()
    const isOnline = ({ states }: Followed): boolean => states.at(-1) === true
    await until(() => followed.every(isOnline) && network.webSockets().open === 1, 'there is not one socket')
    await Promise.all(runs.map((run) => send(run, 'again')))
    const heardOf = ({ heard }: Followed): boolean => heard.some(({ type }) => type === 'inbox')
    await until(() => followed.every(heardOf), 'what came then was not heard')
    for (const one of followed) one.close()
  })

  it('keeps the leases of all runs that it owns', async () => {
    const runs = names('leased', 3)
    const { follow } = await device(pushedBy)
    await Promise.all(runs.map((run) => begin(run, 12_000)))
    const followed = runs.map(follow)
    await until(() => followed.every(hasLines), 'not every run was heard')
    // A run whose device is gone has lost it after the lease; this one says nothing but pings.
    await begin('leased-not', 12_000)
    const { remote } = await device('somebody')
    const claimOf = async (run: string) => {
      const { head } = await remote.pull(parseRunId(run), 0, parseOwnerId('somebody'))
      if (head === undefined) throw new Error(`run ${run} is not there`)
      const proof = { head, version: 1, rules: 1 }
      return {
        base: head,
        epoch: 0,
        owner: parseOwnerId('somebody'),
        place: 'browser',
        reason: 'expired',
        proof,
      } as const
    }
    const tried = async (run: string): Promise<string> => {
      const claim = await claimOf(run)
      return remote.claim(parseRunId(run), claim).then(
        () => 'claimed',
        (error: unknown) => String((error as { code?: string }).code),
      )
    }
    await poll(async () => ((await tried('leased-not')) === 'claimed' ? true : undefined), {
      timeoutMs: 40_000,
      everyMs: 500,
      message: () => 'a lease without a device does not end',
    })
    expect(await Promise.all(runs.map(tried))).toEqual(runs.map(() => 'move_refused'))
    for (const one of followed) one.close()
  })

  it('hears all but those that are not there, and those when they come', async () => {
    await begin('there')
    const { network, follow } = await device('early')
    const followed = [follow('not-there-yet'), follow('there')] as const
    await until(() => hasLines(followed[1]), 'the run that is there was not heard')
    await begin('not-there-yet')
    await until(() => hasLines(followed[0]), 'the run that came was not heard')
    expect(network.webSockets().open).toBe(1)
    for (const one of followed) one.close()
  })

  it('has a second socket for more than 200', async () => {
    const { network, followed } = await following('more', names('more', 205))
    expect(network.webSockets()).toEqual({ opened: 2, open: 2 })
    for (const one of followed) one.close()
  })

  it('notices a network on which nothing comes back', async () => {
    const { network, followed } = await following('silent', ['silent'])
    const states = (): readonly boolean[] => followed[0]?.states ?? []
    network.delay(3_600_000)
    await until(() => states().at(-1) === false, 'it goes on waiting')
    network.delay(0)
    await until(() => states().at(-1) === true && network.webSockets().opened > 1, 'it does not come back')
    followed[0]?.close()
  })

  it('hears of all of them over HTTP where something takes sockets and says nothing', async () => {
    const { network, followed } = await following('swallowed', names('swallowed', 3), (one) => one.swallow())
    expect(network.webSockets().opened).toBe(0)
    expect(followed.map(({ states }) => states.at(-1))).toEqual([true, true, true])
    for (const one of followed) one.close()
  })

  it('has a socket for each at an edge that knows no other', async () => {
    const older = (network: LossyProxy): void => network.forget('waystone.runs')
    const { network, followed } = await following(pushedBy, names('older', 4), older)
    expect(network.webSockets()).toEqual({ opened: 4, open: 4 })
    await send('older-2', 'for the third')
    const heard = followed.map((one) => one.heard.some(({ type }) => type === 'inbox'))
    await until(() => followed[2]?.heard.some(({ type }) => type === 'inbox') === true, 'it was not heard')
    expect(heard.filter(Boolean).length).toBeLessThan(2)
    for (const one of followed) one.close()
    await until(() => network.webSockets().open === 0, 'sockets are still open')
  })
})
