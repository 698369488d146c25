import { describe, expect, it } from 'vitest'
import { defineAgent, done, type AnyAgent } from '../engine/agent.ts'
import type { OwnerId, RunId } from '../ids.ts'
import { parseLine } from '../log/entry.ts'
import { cuttable } from '../session/session.test-support.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'
import type { Runtime } from './runtime.ts'

const agent = defineAgent({ name: 'a', version: 1, initial: () => ({}), turn: async () => done(7) })
const patient = defineAgent({
  name: 'patient',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    await ctx.receive('go' as never)
    return done()
  },
})
/** Ends once `gate` does. */
const slow = (gate: Promise<number>) =>
  defineAgent({
    name: 'slow',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.step('slow', () => gate)),
  })
const runs = ['one', 'two', 'three'] as RunId[]

/** A device, its network, and which runs the edge was asked for. */
function world(agents: readonly AnyAgent[] = [agent]) {
  const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const asked: RunId[] = []
  const pull: typeof edge.remote.pull = (run, ...rest) => {
    asked.push(run)
    return edge.remote.pull(run, ...rest)
  }
  const network = cuttable({ ...edge, remote: { ...edge.remote, pull } })
  const laptop = testDevice(agents, { edge: network.edge, clock: hastyClock })
  const phone = testDevice(agents, { name: 'phone', edge, clock: hastyClock })
  const kindsThere = async (run: RunId): Promise<readonly string[]> => {
    const { lines } = await edge.remote.pull(run, 0, 'x' as OwnerId)
    return lines.map((line) => parseLine(line).kind)
  }
  return { laptop, phone, network, asked, kindsThere }
}

async function finish(runtime: Runtime): Promise<void> {
  for (const run of runs)
    await (await handleOf(runtime, await runtime.start('a', null, { id: run }))).result()
}

async function untilNoted(runtime: Runtime): Promise<void> {
  while (!(await runtime.runs()).every(({ synced }) => synced)) await testClock.task()
}

describe('runs that end while the edge cannot be reached', () => {
  it('are there after the next opening, when nobody asks for them', async () => {
    const { laptop, network, kindsThere } = world()
    network.cut()
    const before = await laptop.open()
    await finish(before)
    await before.close()
    const offline = await laptop.open()
    expect((await offline.runs()).map(({ synced }) => synced)).toEqual([undefined, undefined, undefined])
    network.mend()
    await untilNoted(offline)
    for (const run of runs) expect((await kindsThere(run)).at(-1)).toBe('commit')
    await offline.close()
  })

  it('are not waited for when somebody else goes on with one of them', async () => {
    const here = Promise.withResolvers<number>()
    const { laptop, network, phone, kindsThere } = world([agent, slow(here.promise)])
    const before = await laptop.open()
    const early = await handleOf(before, await before.start('slow', null, { id: 'early' }))
    await early.until(({ head, live, sync }) => live.calls.length > 0 && sync.synced?.seq === head.seq)
    network.cut()
    here.resolve(1)
    await early.result()
    await finish(before)
    await before.close()
    const elsewhere = await phone.open({ agents: [slow(new Promise(() => undefined))] })
    const taken = await handleOf(elsewhere, 'early')
    await taken.move('here', { force: true })
    network.mend()
    const after = await laptop.open()
    while ((await kindsThere('two' as RunId)).at(-1) !== 'commit') await testClock.task()
    expect((await handleOf(after, 'early')).view()?.owner).toBe('phone')
    await after.close()
    await elsewhere.close()
  })

  it('are asked for no more once it is known that they are there', async () => {
    const { laptop, asked } = world()
    const before = await laptop.open()
    await finish(before)
    await untilNoted(before)
    await before.close()
    asked.length = 0
    const after = await laptop.open()
    for (let tasks = 0; tasks < 50; tasks += 1) await testClock.task()
    expect(asked).toEqual([])
    await after.close()
  })
})

it('a message that was acknowledged before its run had moved on is brought after it by the next opening', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [patient] })
  const sent: string[] = []
  const send: typeof edge.remote.send = async (run, item) => {
    await edge.remote.send(run, item)
    sent.push(item.id)
  }
  const laptop = testDevice([patient], { edge: { ...edge, remote: { ...edge.remote, send } } })
  const before = await laptop.open()
  const run = await handleOf(before, await before.start('patient', null))
  await run.until(({ status }) => status === 'waiting')
  await run.move('edge')
  await before.close()
  // As a host leaves it that is killed right after the move.
  await laptop.inbox.put(run.id, { type: 'message', name: 'go', value: 1, id: 'm', time: 1, by: 'laptop' })
  const after = await laptop.open()
  while (sent.length === 0) await testClock.task()
  expect(sent).toEqual(['m'])
  await after.close()
})
