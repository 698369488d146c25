import { describe, expect, it } from 'vitest'
import { defineAgent, done, next, type AnyAgent } from '../engine/agent.ts'
import type { Ctx, OnceOptions, StepTools } from '../engine/ctx.ts'
import { handleOf, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'

interface Paid {
  paid: boolean
}
type Run = RunHandle<Paid>
type PayOptions = Partial<OnceOptions<boolean>>

/** Pays in its first turn and waits in the second. `pay` is what the payment does. */
function payer(pay: (tools: StepTools) => boolean | Promise<boolean>, options: PayOptions = {}) {
  return defineAgent({
    name: 'payer',
    version: 1,
    initial: (): Paid => ({ paid: false }),
    async turn(ctx, state) {
      if (ctx.turn === 1) {
        await ctx.receive('more' as never)
        return done()
      }
      state.paid = await ctx.once('pay', { timeout: '1s', ...options }, pay)
      return next()
    },
  })
}

async function begun(agent: AnyAgent): Promise<Run> {
  const runtime = await testDevice([agent]).open()
  return handleOf<Paid>(runtime, await runtime.start(agent.name, null, {}))
}

const stands = (run: Run): Promise<unknown> =>
  run.until(({ status, turn }) => (status === 'waiting' && turn === 1) || status === 'paused')

async function rewound(run: Run, options: Parameters<Run['rewind']>[0]): Promise<void> {
  const before = run.entries().length
  await run.rewind(options)
  await run.until(() =>
    run
      .entries()
      .slice(before)
      .some(({ kind }) => kind === 'rewind' || kind === 'refuse'),
  )
  await stands(run)
}

const seqOf = (run: Run, wanted: string): number =>
  run.entries().findLast(({ kind }) => kind === wanted)?.seq ?? -1

describe('going back', () => {
  it('asks about each time an effect happened: an old decision does not speak for a later one', async () => {
    let paid = 0
    const run = await begun(payer(() => (paid += 1) > 0))
    await stands(run)
    await rewound(run, { seq: 0 })
    const { start } = (run.view()?.error?.details ?? {}) as { start: string }
    await run.decide(start, { type: 'again' })
    await run.until(({ status, turn }) => status === 'waiting' && turn === 1)
    await rewound(run, { seq: seqOf(run, 'decide') })
    expect(run.view()?.status).toBe('paused')
    expect(paid).toBe(2)
  })

  it('to nowhere is refused, and undoes nothing', async () => {
    const undone: number[] = []
    const run = await begun(payer(() => true, { undo: () => undone.push(1) }))
    await stands(run)
    for (const seq of [-1, Number.NaN])
      await expect(rewound(run, { seq, undo: true })).rejects.toMatchObject({ code: 'request_refused' })
    await rewound(run, { seq: 10_000, undo: true })
    expect(undone).toEqual([])
    expect(run.view()?.state).toEqual({ paid: true })
  })

  it('waits for a decision about an effect of which nobody knows whether it happened', async () => {
    const undone: unknown[] = []
    const options: PayOptions = { timeout: '30ms', undo: ({ value }) => undone.push(value) }
    const run = await begun(payer(() => new Promise(() => undefined), options))
    await stands(run)
    await run.cancel('no', { undo: true })
    const paused = await run.until(() => run.entries().at(-1)?.kind === 'pause' && seqOf(run, 'unwind') > 0)
    expect(paused.pause?.reason).toBe('outcome')
    const { start } = (paused.error?.details ?? {}) as { start: string }
    await run.decide(start, { type: 'done', value: 'it happened' })
    await run.until(({ status }) => status === 'cancelled')
    expect(undone).toEqual(['it happened'])
  })

  it('forward to a state that counts on an undone effect is refused', async () => {
    let balance = 0
    const options: PayOptions = { undo: () => (balance -= 1) }
    const run = await begun(payer(() => (balance += 1) > 0, options))
    await stands(run)
    const paid = seqOf(run, 'commit')
    await rewound(run, { seq: 0, undo: true })
    expect(balance).toBe(1)
    await rewound(run, { seq: paid, undo: true })
    expect(seqOf(run, 'refuse')).toBeGreaterThan(0)
    expect([run.view()?.state.paid, balance]).toEqual([true, 1])
    // A point after the way back has nothing of what was left behind.
    await rewound(run, { seq: seqOf(run, 'commit') })
    expect(run.view()?.state.paid).toBe(true)
  })

  it("to between an effect's start and its end gives what is done again a key of its own", async () => {
    const keys: string[] = []
    const options: PayOptions = { undo: ({ idempotencyKey }) => keys.push(`-${idempotencyKey}`) }
    const run = await begun(payer(({ idempotencyKey }) => keys.push(`+${idempotencyKey}`) > 0, options))
    await stands(run)
    await rewound(run, { seq: seqOf(run, 'once.start'), undo: true })
    expect(run.view()?.error).toBeUndefined()
    const [first, undone, again] = keys.map((key) => key.slice(1))
    expect(undone).toBe(first)
    expect(again).not.toBe(first)
  })

  it('does not ask about an undone effect, however often it had been started', async () => {
    let isFirst = true
    const options: PayOptions = { timeout: '30ms', onUnknown: 'retry', undo: () => undefined }
    const run = await begun(
      payer(({ signal }) => {
        if (!isFirst) return true
        isFirst = false
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))))
      }, options),
    )
    await stands(run)
    await rewound(run, { seq: 0, undo: true })
    expect(run.view()?.error).toBeUndefined()
  })

  it('finds the undo of an effect before which a failed step was retried since', async () => {
    const outside: string[] = []
    let broken = true
    const agent = defineAgent({
      name: 'retrier',
      version: 1,
      initial: (): Paid => ({ paid: false }),
      async turn(ctx) {
        const failed = await ctx
          .step('first', { attempts: 1 }, () => {
            if (broken) throw new Error('down')
            return new Promise(() => undefined)
          })
          .catch((error: unknown) => error)
        const options = { timeout: '1s', undo: () => outside.push('-') } as const
        await ctx.once('pay', options, () => outside.push('+'))
        throw failed
      },
    })
    const run = await begun(agent)
    await run.until(({ status }) => status === 'paused')
    broken = false
    await run.retry()
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/first'))
    await run.cancel('no', { undo: true })
    await run.until(({ status }) => status === 'cancelled')
    expect(outside).toEqual(['+', '-'])
  }, 15_000)

  it('brings a state of an older version through its migration again', async () => {
    const turn = async (ctx: Ctx): Promise<ReturnType<typeof next>> => {
      if (ctx.turn === 0) return next()
      await ctx.receive('more' as never)
      return next()
    }
    const first = defineAgent({ name: 'm', version: 1, initial: () => ({ a: 1 }) as object, turn })
    const second = defineAgent({
      name: 'm',
      version: 2,
      initial: () => ({ b: 100 }) as object,
      migrate: { 2: ({ a }: { a: number }) => ({ b: a * 100 }) },
      turn,
    })
    const old = testDevice([first])
    const host = await old.open()
    const before = await handleOf(host, await host.start('m', null, { id: 'm' }))
    await before.until(({ turn: number }) => number === 1)
    await host.close()
    const device = testDevice([second])
    const lines = (await old.store.read('m' as never, 0)).slice(0, 2)
    await device.store.append('m' as never, { base: undefined, lines, durability: 'relaxed' })
    const run = await handleOf<Paid>(await device.open(), 'm')
    await run.until(({ version, status }) => version === 2 && status === 'waiting')
    await rewound(run, { seq: 0 })
    expect(run.view()?.state).toEqual({ b: 100 })
  })

  it('does not hand a stream the text that was written before', async () => {
    const texts: string[] = []
    const agent = defineAgent({
      name: 'writer',
      version: 1,
      initial: (): Paid => ({ paid: false }),
      async turn(ctx) {
        await ctx.stream('words', async ({ out }) => {
          texts.push(out.text)
          await out.write('abc')
        })
        await ctx.receive('more' as never)
        return done()
      },
    })
    const run = await begun(agent)
    await run.until(({ status }) => status === 'waiting')
    await run.rewind({ seq: 0 })
    await run.until(({ status }) => status === 'waiting' && texts.length === 2)
    expect(texts).toEqual(['', ''])
  })
})

describe('drain()', () => {
  it('takes no more than one record holds, and leaves the rest', async () => {
    const anything = {
      '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
    }
    const agent = defineAgent({
      name: 'drainer',
      version: 1,
      inbox: { go: anything, m: anything },
      initial: (): Paid => ({ paid: false }),
      async turn(ctx) {
        await ctx.receive('go')
        const counts: number[] = []
        for (let round = 0; ; round += 1) {
          const items = await ctx.drain('m', { key: `m${String(round)}` })
          if (items.length === 0) return done(counts)
          counts.push(items.length)
        }
      },
    })
    const run = await begun(agent)
    await run.until(({ status }) => status === 'waiting')
    for (let n = 0; n < 40; n += 1) await run.send('m', 'x'.repeat(50_000))
    await run.send('go', null)
    const counts = (await run.result()) as number[]
    expect(counts.length).toBeGreaterThan(1)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40)
  })
})
