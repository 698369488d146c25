import {
  encodeValue,
  parseDigest,
  parseRunId,
  sealEntry,
  type AnyAgent,
  type EntryDraft,
  type RunId,
  type Runtime,
} from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream } from '../harness/event-stream.ts'
import { nodeDevice, type NodeDevice } from '../harness/node-device.ts'
import { poll } from '../harness/poll.ts'
import { boss, endless, familyAgents, helper, owner } from './app/family-agents.ts'
import { pushedBy, pushRun } from './pushed-run.ts'
import { startWorld, token, type World } from './world.ts'

/** An entry of a run, as the edge has stored it. */
interface Line {
  readonly kind: string
  readonly owner: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Long enough for whatever a test does meanwhile. */
const longMs = 3_600_000
/** For a run that a device is to keep: a busy machine may be silent for a while. */
const lasting = { leaseMs: 8_000 }

describe('the family of a run at the edge', () => {
  let world: World
  const open: Runtime[] = []
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(async () => {
    for (const runtime of open) await runtime.close()
    await world.close()
  })

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${world.edge().url}${path}`, { headers: world.headers, ...init })
  const linesOf = async (run: string): Promise<readonly Line[]> => {
    const answer = await ask(`/v1/runs/${run}/entries?from=0`)
    // Of an object that has just died there is nothing to be heard.
    const text = answer.ok ? await answer.text() : ''
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
  }
  /** Waits until a run has an entry of a kind, and gives it. */
  const entryOf = (run: string, kind: string, count = 1): Promise<Line> =>
    poll(async () => (await linesOf(run)).filter((line) => line.kind === kind)[count - 1], {
      timeoutMs: 60_000,
      message: async () =>
        `run ${run} has no ${String(count)} entries "${kind}": ${JSON.stringify(await linesOf(run))}\n${world.edge().log()}`,
    })
  /** The ids of the children that a run has started, in order, once there are so many. */
  const childrenOf = async (run: string, count: number): Promise<readonly string[]> => {
    await entryOf(run, 'spawn', count)
    return (await linesOf(run))
      .filter(({ kind }) => kind === 'spawn')
      .map(({ body }) => String(body['child']))
  }
  /** The calls at which objects of the application have died. */
  const deaths = async (): Promise<readonly string[]> =>
    ((await (await ask('/own/own-any/kept')).json()) as { deaths: readonly string[] }).deaths
  const endOf = async (run: string): Promise<unknown> => {
    const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
    await stream.closed
    return JSON.parse(stream.events().at(-1)?.data ?? '{}')
  }
  const deviceOf = (name: string): NodeDevice =>
    nodeDevice(name, familyAgents, { url: world.edge().url, token })
  const opened = async (device: NodeDevice): Promise<Runtime> => {
    const runtime = await device.open()
    open.push(runtime)
    return runtime
  }
  const cancel = (run: string): Promise<Response> =>
    ask(`/v1/runs/${run}/inbox`, {
      method: 'POST',
      body: JSON.stringify({ type: 'cancel', id: 'enough', by: 'ana', time: 0, reason: 'enough' }),
    })
  const inputOf = (names: readonly string[], more: object = {}) => ({
    ...{ server: world.effects.url, names: [...names], napMs: longMs },
    ...more,
  })

  describe('that moves while its children run', () => {
    it('hears at the edge how a child ends that a device has', async () => {
      const runtime = await opened(deviceOf('down-laptop'))
      const held = world.effects.hold('/effect/down-a')
      await runtime.start('boss', encodeValue(inputOf(['down-a'], { napMs: 0 })), { id: 'ana.down' })
      await held.arrived
      await runtime.move('ana.down' as never, 'edge')
      const [child = ''] = await childrenOf('ana.down', 1)
      expect(child).toMatch(/^ana\.[0-9a-f]{32}-1$/)
      expect((await linesOf('ana.down')).at(-1)).toMatchObject({ kind: 'claim', owner: 'edge' })
      held.release()
      expect(await endOf('ana.down')).toEqual({ status: 'done', result: ['down-a'] })
      expect((await linesOf(child)).map((line) => line.owner)).not.toContain('edge')
      expect((await entryOf('ana.down', 'join')).owner).toBe('edge')
    })

    it('hears on a device how a child ends that the edge has', async () => {
      const device = deviceOf('up-laptop')
      const runtime = await opened(device)
      const held = world.effects.hold('/effect/up-a')
      await pushRun(world, 'ana.up', boss, inputOf(['up-a'], { napMs: 0 }), lasting)
      await held.arrived
      const run = await device.run(runtime, 'ana.up')
      await run.until(({ turn }) => turn === 0)
      await runtime.move('ana.up' as never, 'here')
      held.release()
      expect(await run.result()).toEqual(['up-a'])
      const [child = ''] = await childrenOf('ana.up', 1)
      expect(new Set((await linesOf(child)).map((line) => line.owner))).toEqual(new Set(['edge']))
      expect(world.effects.effects().filter(({ path }) => path === '/effect/up-a')).toHaveLength(1)
      expect((await entryOf('ana.up', 'join')).owner).toBe('up-laptop')
    })

    it('waits at the edge for a child that only a device has, until that syncs it', async () => {
      const device = deviceOf('late-laptop')
      const first = await device.open()
      const held = world.effects.hold('/effect/late-a')
      await first.start('boss', encodeValue(inputOf(['late-a'], { napMs: 0 })), { id: 'ana.late' })
      await held.arrived
      await first.move('ana.late' as never, 'edge')
      await first.close()
      held.drop()
      // The child goes on when its device is there again, and with its entries comes its end.
      await opened(device)
      expect(await endOf('ana.late')).toEqual({ status: 'done', result: ['late-a'] })
    })

    it('has a child moved to the edge that is to be there', async () => {
      const runtime = await opened(deviceOf('sent-laptop'))
      const held = world.effects.hold('/effect/sent-a')
      await runtime.start('boss', encodeValue(inputOf(['sent-a'], { napMs: 0, at: 'edge' })), {
        id: 'ana.sent',
      })
      const [child = ''] = await childrenOf('ana.sent', 1)
      expect((await entryOf(child, 'claim')).owner).toBe('edge')
      await held.arrived
      held.release()
      expect(await endOf('ana.sent')).toEqual({ status: 'done', result: ['sent-a'] })
      expect((await entryOf('ana.sent', 'join')).owner).toBe('sent-laptop')
    })

    it('waits at the edge with a child that is to be in a browser, and starts it there', async () => {
      const device = deviceOf('place-laptop')
      const runtime = await opened(device)
      await pushRun(world, 'ana.place', boss, inputOf(['place-a'], { napMs: 0, at: 'browser' }), lasting)
      await entryOf('ana.place', 'claim')
      const run = await device.run(runtime, 'ana.place')
      await run.until(({ live }) =>
        live.calls.some(
          ({ waits }) => waits?.for === 'place' && waits.need === 'children' && waits.at === 'browser',
        ),
      )
      await runtime.move('ana.place' as never, 'here')
      expect(await run.result()).toEqual(['place-a'])
      expect((await entryOf('ana.place', 'spawn')).owner).toBe('place-laptop')
    })
  })

  describe('that ends', () => {
    it('cancels its children and theirs, also when workerd is killed right after the cancel was taken', async () => {
      await pushRun(world, 'ana.gone', owner, inputOf(['gone-a', 'gone-b']))
      const [middle = ''] = await childrenOf('ana.gone', 1)
      const helpers = await childrenOf(middle, 2)
      for (const one of helpers) await entryOf(one, 'sleep')
      expect((await cancel('ana.gone')).status).toBe(204)
      await world.killEdge()
      await world.startEdge()
      const says = (of: string): object => ({ reason: `its parent, run ${of}, was cancelled`, by: of })
      expect((await entryOf(middle, 'cancel')).body).toMatchObject(says('ana.gone'))
      for (const one of helpers) expect((await entryOf(one, 'cancel')).body).toMatchObject(says(middle))
    })

    it('cancels those that nobody has joined when it is done', async () => {
      await pushRun(world, 'ana.left', boss, inputOf(['left-a'], { leaves: true }))
      const [child = ''] = await childrenOf('ana.left', 1)
      expect((await entryOf(child, 'cancel')).body).toMatchObject({
        reason: 'its parent, run ana.left, is done',
      })
    })

    it('cancels a child that a device brings only then', async () => {
      const device = deviceOf('away-laptop')
      const runtime = await device.open()
      const held = world.effects.hold('/effect/away-a')
      await runtime.start('boss', encodeValue(inputOf(['away-a'])), { id: 'ana.away' })
      await held.arrived
      await runtime.move('ana.away' as never, 'edge')
      const [child = ''] = await childrenOf('ana.away', 1)
      await runtime.close()
      held.drop()
      expect((await cancel('ana.away')).status).toBe(204)
      await entryOf('ana.away', 'cancel')
      const again = await opened(device)
      const run = await device.run(again, child)
      await run.until(({ status }) => status === 'cancelled')
      expect((await entryOf(child, 'cancel')).body).toMatchObject({ by: 'ana.away' })
    })

    it('is cancelled on a device, and its child at the edge with it', async () => {
      const device = deviceOf('there-laptop')
      const runtime = await opened(device)
      await pushRun(world, 'ana.there', boss, inputOf(['there-a']), lasting)
      const [child = ''] = await childrenOf('ana.there', 1)
      await entryOf(child, 'sleep')
      const run = await device.run(runtime, 'ana.there')
      await run.until(({ turn }) => turn === 0)
      await runtime.move('ana.there' as never, 'here')
      await run.cancel('enough')
      expect((await entryOf(child, 'cancel')).body).toMatchObject({
        reason: 'its parent, run ana.there, was cancelled',
      })
    })
  })

  it('works in objects of the application, and with what they are asked past it', async () => {
    await pushRun(world, 'own-boss.x', boss, inputOf(['own-a', 'own-b'], { napMs: 0 }))
    expect(await endOf('own-boss.x')).toEqual({ status: 'done', result: ['own-a', 'own-b'] })
  })

  it('uses nothing while it waits for them: no alarm is set', async () => {
    const run = 'own-idle.boss'
    await pushRun(world, run, boss, inputOf(['idle-a']))
    const [child = ''] = await childrenOf(run, 1)
    await entryOf(child, 'sleep')
    const alarmOf = async (of: string): Promise<number | null> =>
      ((await (await ask(`/own/${of}/tell`)).json()) as { alarm: number | null }).alarm
    await poll(async () => (await alarmOf(run)) === null || undefined, {
      timeoutMs: 30_000,
      message: async () => `an alarm is set for ${String(await alarmOf(run))}`,
    })
    // That of the child is when it wakes.
    expect(await alarmOf(child)).toBeGreaterThan(Date.now() + longMs / 2)
    expect((await cancel(child)).status).toBe(204)
    expect(await endOf(run)).toEqual({ status: 'done', result: ['child_failed'] })
  })

  it.each([
    ['start', 'before'],
    ['start', 'after'],
    ['end', 'before'],
    ['end', 'after'],
    ['ended', 'before'],
    ['ended', 'after'],
  ])('goes on when the object that is asked to "%s" dies %s it has done so', async (call, when) => {
    const name = `${call}-${when}`
    const run = `own-dies.${name}.boss`
    await pushRun(world, run, boss, inputOf([`${name}-a`, `${name}-b`], { napMs: 0 }))
    await entryOf(run, 'commit')
    expect(await endOf(run)).toEqual({ status: 'done', result: [`${name}-a`, `${name}-b`] })
    expect(await deaths()).toContain(`own-dies.${name}.`)
    const ran = world.effects.effects().filter(({ path }) => path.startsWith(`/effect/${name}-`))
    expect(ran.map(({ path }) => path).toSorted()).toEqual([`/effect/${name}-a`, `/effect/${name}-b`])
  })

  it.each(['before', 'after'])('cancels its children when one dies %s it is cancelled', async (when) => {
    const run = `own-dies.cancel-${when}.boss`
    await pushRun(world, run, boss, inputOf([`cancel-${when}-a`, `cancel-${when}-b`]))
    const children = await childrenOf(run, 2)
    for (const child of children) await entryOf(child, 'sleep')
    expect((await cancel(run)).status).toBe(204)
    for (const child of children) {
      expect((await entryOf(child, 'cancel')).body).toMatchObject({ by: run })
      expect((await linesOf(child)).filter(({ kind }) => kind === 'cancel')).toHaveLength(1)
    }
    expect(await deaths()).toContain(`own-dies.cancel-${when}.`)
  })

  it('has a child that fails started anew, as often as it is told to', async () => {
    await pushRun(world, 'ana.anew', boss, inputOf(['bad-a'], { napMs: 0, attempts: 3 }))
    expect(await endOf('ana.anew')).toEqual({ status: 'done', result: ['child_failed'] })
    const tried = world.effects.effects().filter(({ path }) => path === '/effect/bad-a')
    expect(tried.map(({ key }) => world.effects.starts(key))).toEqual([1, 1, 1])
  })

  it('has no end of descendants: one too far below is refused where it was spawned', async () => {
    await pushRun(world, 'ana.endless', endless, {})
    const result = [...Array.from({ length: 16 }, () => 'one'), 'limit_exceeded']
    expect(await endOf('ana.endless')).toEqual({ status: 'done', result })
  })

  it('cancels a child whose deadline is over', async () => {
    await pushRun(world, 'ana.slow', boss, inputOf(['slow-a'], { deadlineMs: 500 }))
    expect(await endOf('ana.slow')).toEqual({ status: 'done', result: ['child_failed'] })
    const [child = ''] = await childrenOf('ana.slow', 1)
    expect((await entryOf(child, 'cancel')).body).toMatchObject({ reason: 'its deadline is over' })
  })

  it('goes on with a failure for a child that was deleted', async () => {
    await pushRun(world, 'ana.bereft', boss, inputOf(['bereft-a']))
    const [child = ''] = await childrenOf('ana.bereft', 1)
    await entryOf(child, 'sleep')
    expect((await ask(`/v1/runs/${child}`, { method: 'DELETE' })).status).toBe(204)
    expect(await endOf('ana.bereft')).toEqual({ status: 'done', result: ['child_failed'] })
  })

  it('ends with a parent that is deleted', async () => {
    await pushRun(world, 'ana.deleted', boss, inputOf(['deleted-a']))
    const [child = ''] = await childrenOf('ana.deleted', 1)
    await entryOf(child, 'sleep')
    expect((await ask('/v1/runs/ana.deleted', { method: 'DELETE' })).status).toBe(204)
    expect((await entryOf(child, 'cancel')).body).toMatchObject({
      reason: 'its parent, run ana.deleted, was deleted',
    })
  })

  it('tells nothing of a run, and does nothing to it, that somebody else names as a child', async () => {
    await pushRun(world, 'bob.secret', helper, { server: world.effects.url, name: 'secret', napMs: longMs })
    await entryOf('bob.secret', 'sleep')
    // A log that says the other run is its child, pushed by somebody who may write their own runs only.
    await pushForged('mallory.run', boss, inputOf(['mallory-a'], { napMs: 0 }), {
      records: [spawned('mallory-a', 'bob.secret')],
    })
    const device = deviceOf('mallory-laptop')
    const run = await device.run(await opened(device), 'mallory.run')
    await run.until(({ live }) =>
      live.calls.some(({ kind, waits }) => kind === 'join' && waits?.for === 'place'),
    )
    expect((await cancel('mallory.run')).status).toBe(204)
    await entryOf('mallory.run', 'cancel')
    // The end of that run is told to whom it names: who is no child of it stays as it was.
    expect((await linesOf('bob.secret')).at(-1)).toMatchObject({ kind: 'sleep' })
    expect((await cancel('bob.secret')).status).toBe(204)
    expect((await entryOf('bob.secret', 'cancel')).body).toMatchObject({ reason: 'enough', id: 'enough' })
    expect((await linesOf('bob.secret')).filter(({ kind }) => kind === 'cancel')).toHaveLength(1)
  })

  it('is deleted whatever its device says that its parent and its child are', async () => {
    const run = 'mallory.stuck'
    await pushForged(run, boss, inputOf(['stuck-a']), {
      parent: '../no run',
      records: [spawned('stuck-a', 'no/run/has such a name')],
    })
    await entryOf(run, 'claim')
    expect((await ask(`/v1/runs/${run}`, { method: 'DELETE' })).status).toBe(204)
  })

  it('cancels a child that a device brings after its deadline', async () => {
    const [run, child] = ['ana.overdue', 'ana.overdue-child-1']
    await pushForged(run, boss, inputOf(['overdue-a', 'overdue-b']), {
      records: [spawned('overdue-a', child, { due: Date.now() + 500 })],
    })
    expect((await entryOf(run, 'join')).body).toMatchObject({ child })
    const input = { server: world.effects.url, name: 'overdue-a', napMs: longMs }
    await pushForged(child, helper, input, { parent: run })
    expect((await entryOf(child, 'cancel')).body).toMatchObject({ by: run })
    // Its parent waits for the other one.
    expect((await linesOf(run)).map(({ kind }) => kind)).not.toContain('commit')
    expect((await cancel(run)).status).toBe(204)
  })

  it('waits no longer than until the deadline for what is no child of it', async () => {
    await pushRun(world, 'bob.other', helper, { server: world.effects.url, name: 'other', napMs: longMs })
    await entryOf('bob.other', 'sleep')
    const run = 'ana.deadline-of-another'
    await pushForged(run, boss, inputOf(['another-a']), {
      records: [spawned('another-a', 'bob.other', { due: Date.now() + 500 })],
    })
    await entryOf(run, 'commit')
    expect(await endOf(run)).toEqual({ status: 'done', result: ['child_failed'] })
    expect((await linesOf('bob.other')).at(-1)).toMatchObject({ kind: 'sleep' })
  })

  /** The record of a child that a run of `boss` has started, as its device would write it. */
  const spawned = (name: string, child: string, more: object = {}): EntryDraft => ({
    kind: 'spawn',
    body: {
      path: `0/start/${name}/${name}`,
      child: child as RunId,
      agent: 'helper',
      given: encodeValue({ server: world.effects.url, name, napMs: 0 }),
      attempts: 1,
      ...more,
    },
  })

  /** A run whose device has pushed records of its open turn, made up, and gone away. */
  async function pushForged(
    run: string,
    agent: AnyAgent,
    input: object,
    { records = [], parent }: { readonly records?: readonly EntryDraft[]; readonly parent?: string },
  ): Promise<void> {
    const state = encodeValue(agent.initial(input as never))
    const config = parseDigest('0'.repeat(64))
    const identity = {
      agent: agent.name,
      version: 1,
      config,
      input: encodeValue(input),
      place: 'browser',
    } as const
    const policy = { whenGone: 'edge', leaseMs: 200, nonce: 'n', sdk: '0' } as const
    const drafts: readonly EntryDraft[] = [
      {
        kind: 'start',
        body: { ...identity, ...policy, state, ...(parent === undefined ? {} : { parent: parent as RunId }) },
      },
      { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config } },
      ...records,
    ]
    let prev = null as ReturnType<typeof parseDigest> | null
    const lines = drafts.map((draft, seq) => {
      const at = { run: parseRunId(run), seq, prev, epoch: 0, term: 1, owner: pushedBy, time: 1 }
      const { line, entry } = sealEntry(draft, at)
      prev = entry.digest
      return `${new TextDecoder().decode(line)}\n`
    })
    const headers = { ...world.headers, 'waystone-base': 'none', 'waystone-device': pushedBy }
    const response = await ask(`/v1/runs/${run}/entries`, { method: 'POST', headers, body: lines.join('') })
    if (!response.ok) throw new Error(`the push of ${run} was refused: ${await response.text()}`)
  }
})
