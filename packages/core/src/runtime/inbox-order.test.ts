import { expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import type { Schema } from '../engine/ctx.ts'
import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Remote } from '../ports/remote.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const text: Schema<string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: String(value) }) },
}

const waiter = defineAgent({
  name: 'waiter',
  version: 1,
  inbox: { go: text, news: text },
  initial: () => ({}),
  async turn(ctx) {
    return done(await ctx.receive('go'))
  },
})

const listens = defineAgent({
  name: 'listens',
  version: 1,
  inbox: { news: text },
  initial: () => ({ heard: [] as string[] }),
  async turn(ctx, state) {
    const news = await ctx.receive('news')
    state.heard.push(news)
    return news === 'stop' ? done() : next()
  },
})

/** Reads nothing before it is told to go. */
const patient = defineAgent({
  name: 'patient',
  version: 1,
  inbox: { go: text, news: text },
  initial: () => ({ heard: [] as string[] }),
  async turn(ctx, state) {
    if (state.heard.length === 0) await ctx.receive('go')
    const news = await ctx.receive('news')
    state.heard.push(news)
    return news === 'stop' ? done() : next()
  },
})

/** An edge that can be asked for nothing while the network is out. */
function pullsOver({ remote }: Edge) {
  const network = { isOut: false }
  const pull: Remote['pull'] = async (...asked) => {
    if (network.isOut) throw new WaystoneError('unreachable', 'the network is out')
    return remote.pull(...asked)
  }
  return { network, remote: { ...remote, pull } }
}

it('what a device took for its run reaches the next owner before what it sends there later', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [waiter] })
  const arrived: string[] = []
  let isOut = false
  let lost = 0
  const remote: Remote = {
    ...edge.remote,
    async send(run, item) {
      if (isOut) {
        lost += 1
        throw new WaystoneError('unreachable', 'the network is out')
      }
      await edge.remote.send(run, item)
      arrived.push(item.id)
    },
  }
  const runtime = await testDevice([waiter], { edge: { ...edge, remote } }).open()
  const run = await handleOf(runtime, await runtime.start('waiter', null, {}))
  await run.until(({ status }) => status === 'waiting')
  await run.send('news', 'first', { id: 'first' })
  isOut = true
  await run.move('edge')
  await run.until(({ owner }) => owner === 'edge')
  while (lost === 0) await testClock.task()
  isOut = false
  // Had it overtaken the first, a run that ends with it would never have been given that one.
  await run.send('go', 'second', { id: 'second' })
  expect([...new Set(arrived)]).toEqual(['first', 'second'])
  await runtime.close()
})

it('what a device sent to the edge comes back with the run, before what it sends here later', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [listens] })
  const { network, remote } = pullsOver(edge)
  const runtime = await testDevice([listens], { edge: { ...edge, remote } }).open()
  const run = await handleOf(runtime, await runtime.start('listens', null, {}))
  await run.until(({ status }) => status === 'waiting')
  await run.move('edge')
  await run.send('news', 'first')
  // The network is lost once the edge has let the run go.
  const claims = remote.claim
  remote.claim = async (...claim) => {
    const lines = await claims(...claim)
    network.isOut = true
    return lines
  }
  await run.move('here')
  network.isOut = false
  await run.send('news', 'stop')
  const { state } = await run.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['first', 'stop'] })
  await runtime.close()
})

it('what a device sent to the edge comes first, though it had no place here before its tab was killed', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [listens], ownerAlive: () => false })
  const storage = memoryStorage()
  const device = testDevice([listens], { edge, storage })
  const put = (): Promise<never> => Promise.reject(new WaystoneError('storage_full', 'the disk is full'))
  const killed = await device.open({ inbox: { ...storage.inbox, put } })
  const run = await handleOf(killed, await killed.start('listens', null, {}))
  await run.until(({ status }) => status === 'waiting')
  await run.move('edge')
  await run.send('news', 'first', { id: 'first' })
  await killed.close()
  expect(await storage.inbox.list(run.id as RunId)).toEqual([])

  // The edge answers late what waits there, once it has let the run go.
  const answers = Promise.withResolvers<void>()
  let isLate = false
  const remote: Remote = {
    ...edge.remote,
    async pull(...asked) {
      if (isLate) await answers.promise
      return edge.remote.pull(...asked)
    },
    async claim(...claim) {
      const lines = await edge.remote.claim(...claim)
      isLate = true
      return lines
    },
  }
  const runtime = await device.open({ edge: { ...edge, remote } })
  const again = await handleOf(runtime, run.id)
  await again.move('here', { force: true })
  const sent = again.send('news', 'stop', { id: 'stop' })
  await testClock.task()
  answers.resolve()
  await sent
  const { state } = await again.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['first', 'stop'] })
  await runtime.close()
})

it('what a device sent while the run came here is there, though the edge cannot be asked for it', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [listens] })
  const moved = Promise.withResolvers<void>()
  const { network, remote } = pullsOver(edge)
  remote.send = async (run, item) => {
    await moved.promise
    network.isOut = true
    await edge.remote.send(run, item)
  }
  const runtime = await testDevice([listens], { edge: { ...edge, remote } }).open()
  const run = await handleOf(runtime, await runtime.start('listens', null, {}))
  await run.until(({ status }) => status === 'waiting')
  await run.move('edge')
  const sent = run.send('news', 'first')
  await run.move('here')
  moved.resolve()
  await sent
  await run.send('news', 'stop')
  const { state } = await run.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['first', 'stop'] })
  await runtime.close()
})

it('what a device was about to send on is still here when the run comes back', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [patient] })
  const back = Promise.withResolvers<void>()
  const remote: Remote = {
    ...edge.remote,
    async send(run, item) {
      await edge.remote.send(run, item)
      await back.promise
    },
  }
  const runtime = await testDevice([patient], { edge: { ...edge, remote } }).open()
  const run = await handleOf(runtime, await runtime.start('patient', null, {}))
  await run.until(({ status }) => status === 'waiting')
  for (const word of ['one', 'two', 'three']) await run.send('news', word)
  await run.move('edge')
  await run.move('here')
  back.resolve()
  await run.send('go', 'now')
  await run.send('news', 'stop')
  const { state } = await run.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['one', 'two', 'three', 'stop'] })
  await runtime.close()
})

it('an item that is sealed with a key of no run is refused, and stops nothing', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [listens] })
  const runtime = await testDevice([listens], { edge }).open()
  const run = await handleOf(runtime, await runtime.start('listens', null, {}))
  await run.synced()
  const sealed = { key: 'of no run', box: 'AAAA' }
  const bad = {
    type: 'message',
    name: 'news',
    value: null,
    id: 'bad',
    by: 'somebody',
    time: 0,
    sealed,
  } as const
  await edge.remote.send(run.id as RunId, bad)
  await run.send('news', 'first')
  await run.send('news', 'stop')
  const { state } = await run.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['first', 'stop'] })
  expect(run.entries().some(({ kind }) => kind === 'refuse')).toBe(true)
  await runtime.close()
})

it('an answer that does not fit keeps no other one from its question, before the edge knows of it', async () => {
  const yes: Schema<string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => (value === 'yes' ? { value } : { issues: [{ message: 'yes or nothing' }] }),
    },
  }
  const asks = defineAgent({
    name: 'asks',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const answer = await ctx.ask('sure', { question: 'Sure?', schema: yes })
      return done(answer.status)
    },
  })
  const edge = memoryEdge({ clock: testClock, agents: [asks] })
  let isOut = false
  const remote: Remote = {
    ...edge.remote,
    async push(run, append) {
      if (isOut) throw new WaystoneError('unreachable', 'the network is out')
      return edge.remote.push(run, append)
    },
  }
  const runtime = await testDevice([asks], { edge: { ...edge, remote } }).open()
  const run = await handleOf(runtime, await runtime.start('asks', null, {}))
  await run.synced()
  isOut = true
  const { asks: open } = await run.until(({ status }) => status === 'waiting')
  const ask = open[0]?.ask ?? ''
  await run.answer(ask, 'no')
  await run.until(() => run.entries().some(({ kind }) => kind === 'refuse'))
  await run.answer(ask, 'yes')
  expect((await run.until(({ status }) => status === 'done')).result).toBe('answered')
  await runtime.close()
})

it('what others have sent before is taken first, by a device that has some of it already when the run comes there', async () => {
  const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const asked = Promise.withResolvers<void>()
  let isTaken = false
  const remote: Remote = {
    ...edge.remote,
    async claim(...asking) {
      const lines = await edge.remote.claim(...asking)
      isTaken = true
      return lines
    },
    async pull(...asking) {
      if (isTaken) await asked.promise
      return edge.remote.pull(...asking)
    },
  }
  const laptop = await testDevice([listens], { edge }).open()
  const run = await handleOf(laptop, await laptop.start('listens', null, {}))
  await run.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
  await laptop.close()
  // Nobody takes them: its owner is gone.
  const tablet = await testDevice([listens], { edge, name: 'tablet' }).open()
  await (await handleOf(tablet, run.id)).send('news', 'first')
  await tablet.close()
  const phone = await testDevice([listens], { edge: { ...edge, remote }, name: 'phone' }).open()
  const there = await handleOf(phone, run.id)
  await there.send('news', 'stop')
  await there.move('here', { force: true })
  await there.until(({ owner, live }) => owner === 'phone' && live.calls.length > 0)
  asked.resolve()
  const { state } = await there.until(({ status }) => status === 'done')
  expect(state).toEqual({ heard: ['first', 'stop'] })
  await phone.close()
})
