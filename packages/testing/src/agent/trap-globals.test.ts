import { defineAgent, done, type Ctx } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { testRun } from './test-run.ts'

function agentOf(turn: (ctx: Ctx) => unknown) {
  return defineAgent({
    name: 'trapped',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx)),
  })
}

const globalsNow = () => [
  Date,
  Date.now,
  Math.random,
  fetch,
  setTimeout,
  setInterval,
  setImmediate,
  crypto.randomUUID,
  crypto.getRandomValues,
]

describe('a turn, outside of its steps,', () => {
  const forbidden: Record<string, readonly [() => unknown, string]> = {
    'Date.now()': [() => Date.now(), 'ctx.now()'],
    'new Date()': [() => new Date(), 'ctx.now()'],
    'Date()': [() => Date(), 'ctx.now()'],
    'Math.random()': [() => Math.random(), 'ctx.random()'],
    'crypto.randomUUID()': [() => crypto.randomUUID(), 'ctx.uuid()'],
    'crypto.getRandomValues()': [() => crypto.getRandomValues(new Uint8Array(1)), 'ctx.random()'],
    'fetch()': [() => fetch('data:,x'), 'ctx.step'],
    'setTimeout()': [() => setTimeout(() => undefined, 0), 'ctx.sleep()'],
    'setInterval()': [() => setInterval(() => undefined, 0), 'ctx.sleep()'],
    'setImmediate()': [() => setImmediate(() => undefined), 'ctx.sleep()'],
  }
  for (const [call, [make, instead]] of Object.entries(forbidden)) {
    it(`may not call ${call}, and is told of ${instead}`, async () => {
      const run = testRun(agentOf(make), {})
      await expect(run).rejects.toThrow(`${call} was called in a turn`)
      await expect(run).rejects.toThrow(instead)
    })
  }

  it('may not do so after an await, in a branch, or by catching the error', async () => {
    const turns: readonly ((ctx: Ctx) => unknown)[] = [
      (ctx) => ctx.step('one', () => 1).then(() => Math.random()),
      (ctx) => ctx.all('both', { a: async (c) => (await c.step('one', () => 1), Math.random()) }),
      (ctx) => ctx.map('each', [1], { key: () => String(Math.random()) }, (c) => c.step('one', () => 1)),
      (ctx) => ctx.scope('in', async () => Promise.resolve().then(() => Math.random())),
      () => {
        try {
          return Math.random()
        } catch {
          return 0.5
        }
      },
    ]
    for (const turn of turns) await expect(testRun(agentOf(turn), {})).rejects.toThrow('Math.random()')
  })

  it('may not make its first state of them either', async () => {
    const agent = defineAgent({
      name: 'dated',
      version: 1,
      initial: () => ({ at: Date.now() }),
      turn: async () => done(),
    })
    await expect(testRun(agent, {})).rejects.toThrow('Date.now()')
  })

  it('may make a date of a number, and ask whether something is one', async () => {
    const run = await testRun(
      agentOf((ctx) => new Date(ctx.now()) instanceof Date && new Date(5).getTime()),
      {},
    )
    expect(run.result).toBe(5)
  })
})

describe('the body of a step', () => {
  it('may call all of them, before and after it waits', async () => {
    const run = await testRun(
      agentOf((ctx) =>
        ctx.step('any', async () => {
          const response = await fetch('data:,text')
          await new Promise((resolve) => setTimeout(resolve, 1))
          return [await response.text(), Date.now() > 0, Math.random() < 1, new Date(), crypto.randomUUID()]
        }),
      ),
      {},
    )
    expect(run.status).toBe('done')
  })

  it('may call them in what checks an effect or an answer', async () => {
    const schema = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ value: Date.now() > 0 }) },
    } as const
    const run = await testRun(
      agentOf((ctx) => ctx.ask('sure', { question: null, schema })),
      { answers: { sure: 1 } },
    )
    expect(run.asks[0]?.value).toBe(true)
  })
})

describe('the globals', () => {
  it('are the same again after a run, after one that failed, and after several at once', async () => {
    const before = globalsNow()
    await testRun(
      agentOf(() => 1),
      {},
    )
    expect(globalsNow()).toEqual(before)
    await testRun(
      agentOf(() => Math.random()),
      {},
    ).catch(() => undefined)
    expect(globalsNow()).toEqual(before)
    const runs = [agentOf((ctx) => ctx.sleep('nap', '1h')), agentOf(() => 2), agentOf(() => Date.now())]
    const ended = await Promise.allSettled(runs.map((agent) => testRun(agent, {})))
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(globalsNow()).toEqual(before)
  })

  it('are free for the test while a run is under way', async () => {
    const run = testRun(
      agentOf((ctx) => ctx.sleep('nap', '1h')),
      {},
    )
    expect(Date.now()).toBeGreaterThan(0)
    expect(Math.random()).toBeLessThan(1)
    await run
  })
})
