import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { parseLine } from '../log/entry.ts'
import { run } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { cuttable } from '../session/session.test-support.ts'
import { startEntry } from './first-entry.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'
import { damage, paid, payer } from './payer.test-support.ts'
import { RunHost, type HostPorts } from './run-host.ts'

describe('after a fault', () => {
  it('a host that lets go does not begin anew to wait for an effect that another owner has started', async () => {
    let looked = 0
    const agent = defineAgent({
      name: 'looker',
      version: 1,
      initial: (input: null) => ({ input }),
      async turn(ctx) {
        const verify = async () => {
          looked += 1
          return { done: true as const, value: 'there' }
        }
        return done(await ctx.once('effect', { timeout: 500, verify }, () => 'here'))
      },
    })
    const storage = testDevice([])
    const log = await RunLog.open(run, { ...storage, now: () => Date.now() })
    const body = startEntry(
      agent,
      null,
      { place: 'browser', written: { nonce: 'n', sdk: '0' } },
      { whenGone: 'edge', leaseMs: 1_000 },
    )
    const device = 'laptop' as never
    const edge = 'edge' as never
    const record = { path: '0/effect', key: 'k', timeoutMs: 500, place: 'browser' } as const
    const turn = { turn: 0, rules: 1, version: 1, config: body.config }
    await log.append(device, () => [
      { kind: 'start', body },
      { kind: 'turn', body: turn },
      { kind: 'once.start', body: record },
    ])
    const claim = { reason: 'expired', place: 'edge', from: device, nonce: 'm', sdk: '0' } as const
    await log.append(edge, () => [{ kind: 'claim', body: claim }])
    const ports: HostPorts = {
      me: edge,
      place: 'edge',
      clock: testClock,
      blobs: storage.blobs,
      inbox: storage.inbox,
      streams: storage.streams,
      agent: () => agent,
      confirm: () => Promise.resolve(),
      consumed: () => undefined,
      tell: () => undefined,
    }
    for (let wakes = 0; wakes < 20; wakes += 1) {
      const end = await new RunHost(log, ports).run({ letGo: true })
      if (end.type === 'ended') break
      // Woken before it is due, as by messages.
      await testClock.wait(100)
    }
    expect(log.mustFold().result).toBe('there')
    expect(looked).toBe(1)
  })

  it('a run that was watched before there was one begins when it is started', async () => {
    const runtime = await testDevice([payer]).open()
    await runtime.watch(run, () => undefined)
    await runtime.start('payer', null, { id: run })
    const handle = await handleOf(runtime, run)
    await handle.until(({ status }) => status === 'waiting')
  })

  it('a run that was watched before the edge had it is known to be there once it is', async () => {
    const edge = memoryEdge({ clock: testClock })
    const watching = await testDevice([payer], { name: 'phone', edge }).open()
    let synced: unknown
    await watching.watch(run, (event) => {
      if (event.type === 'sync') synced = event.sync
    })
    const owner = await testDevice([payer], { edge }).open()
    await owner.start('payer', null, { id: run })
    const handle = await handleOf(watching, run)
    const { head } = await handle.until(({ status }) => status === 'waiting')
    expect(synced).toEqual({ online: true, synced: head })
    await owner.close()
    await watching.close()
  })

  it('an effect whose turn begins while the edge is out of reach for a moment is started once it is back', async () => {
    let offset = 0
    let started = 0
    const clock = { ...hastyClock, now: () => Date.now() + offset }
    const daily = defineAgent({
      name: 'daily',
      version: 1,
      initial: () => ({ days: 0 }),
      async turn(ctx, state) {
        state.days += 1
        if (state.days === 1) return next({ after: '8h' })
        await ctx.once('send', { timeout: '1m' }, () => void (started += 1))
        return done('sent')
      },
    })
    const network = cuttable(memoryEdge({ clock, agents: [daily] }))
    const runtime = await testDevice([daily], { edge: network.edge, clock }).open()
    const handle = await handleOf(runtime, await runtime.start('daily', null))
    await handle.until(({ head, sync }) => head.seq >= 1 && sync.synced?.seq === head.seq)
    network.cut()
    offset = 8 * 3_600_000 + 1_000
    await handle.until(({ sync }) => !sync.online)
    network.mend()
    expect(await handle.result()).toBe('sent')
    expect(started).toBe(1)
    await runtime.close()
  })

  it('two interrupts of one turn are each consumed once', async () => {
    const agent = defineAgent({
      name: 'slow',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.ask('never', { question: 'Will anybody answer?' })
        return done()
      },
    })
    const runtime = await testDevice([agent]).open()
    const handle = await handleOf(runtime, await runtime.start('slow', null))
    await handle.until(({ asks }) => asks.length === 1)
    await Promise.all([1, 2, 3].map(() => handle.interrupt()))
    await handle.until(({ status }) => status === 'paused')
    const used = handle.entries().flatMap(({ body }) => ('id' in body ? [body.id] : []))
    expect(new Set(used).size).toBe(used.length)
  })

  it('a divergence is not put off by messages that the run refuses', async () => {
    const storage = testDevice([])
    const asker = (name: string) =>
      defineAgent({
        name: 'asker',
        version: 1,
        initial: () => ({}),
        async turn(ctx) {
          await ctx.step(name, () => 1)
          await ctx.receive('never' as never)
          return done()
        },
      })
    const before = await testDevice([asker('old')], { storage, clock: hastyClock }).open()
    const first = await handleOf(before, await before.start('asker', null, { id: run }))
    await first.until(({ status }) => status === 'waiting')
    await before.close()
    const runtime = await testDevice([asker('new')], { storage, clock: hastyClock }).open()
    const handle = await handleOf(runtime, run)
    const more = (async () => {
      while (handle.view()?.status !== 'paused') {
        await handle.retry().catch(() => undefined)
        await testClock.wait(20)
      }
    })()
    await handle.until(({ pause }) => pause?.reason === 'divergence')
    await more
  })

  it('a host that died after it set damage aside leaves a run that pauses, and asks before it pays again', async () => {
    const { device } = await paid(1)
    damage(device, (line) => parseLine(line).kind === 'receive')
    // Opened as by a host that dies then: set aside, and nothing written.
    await RunLog.open(run, { ...device, now: () => Date.now() })
    expect(await device.tails.list(run)).toHaveLength(1)
    const handle = await handleOf(await device.open(), run)
    const paused = await handle.until(({ status }) => status === 'paused')
    expect(paused.pause?.reason).toBe('set aside')
    await handle.retry()
    await handle.send('pay', null)
    const asked = await handle.until(({ pause }) => pause?.reason === 'outcome')
    expect(asked.error?.path).toBe('0/charge')
  })

  it('what was damaged here never gets to the edge, which has the run as it was until then', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [payer] })
    const { device } = await paid(1)
    damage(device, (line) => parseLine(line).kind === 'commit', { at: () => 120 })
    const runtime = await testDevice([payer], { storage: device, edge }).open()
    const handle = await handleOf(runtime, run)
    await handle.until(({ status, sync, head }) => status === 'paused' && sync.synced?.digest === head.digest)
    const { lines } = await edge.remote.pull(run, 0, 'phone' as never)
    const here = await device.store.read(run, 0)
    expect(lines).toEqual(here)
  })
})
