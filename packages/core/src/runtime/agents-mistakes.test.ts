import { describe, expect, it } from 'vitest'
import { defineAgent, done, fail, type TurnEnd } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import { registerClass } from '../state/register-class.ts'
import { handleOf, hastyClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'

type State = Record<string, unknown>
type Turn = (ctx: Ctx, state: State, began: () => void) => Promise<TurnEnd<unknown>>

class Money {
  readonly amount: number

  constructor(amount: number) {
    if (amount < 0) throw new Error('no debts')
    this.amount = amount
  }
}

/** Plays one turn to its end or its pause: what became of it, and how often its bodies began. */
async function played(turn: Turn, meanwhile?: (run: RunHandle) => Promise<void>) {
  let bodies = 0
  const began = (): void => void (bodies += 1)
  const agent = defineAgent({
    name: 'mistaken',
    version: 1,
    once: 'go',
    initial: (): State => ({}),
    turn: (ctx, state) => turn(ctx as unknown as Ctx, state, began),
  })
  const runtime = await testDevice([agent], { clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('mistaken', null))
  await meanwhile?.(run)
  const { status, pause, result } = await run.until(
    ({ status }) => status !== 'running' && status !== 'waiting',
  )
  const reopened = run.entries().filter(({ kind }) => kind === 'open').length
  await runtime.close()
  return { status, code: pause?.error?.code, result, bodies, reopened }
}

const late = -5
const half = 'pay \ud83d'

describe('what an agent gives that cannot be taken pauses its run, which is not opened again', () => {
  it.for<readonly [string, Turn]>([
    ['a time to sleep that is none', async (ctx) => done(await ctx.sleep('until', NaN))],
    ['a deadline that is none', async (ctx) => done(await ctx.ask('q', { question: 1, deadline: NaN }))],
    [
      'a time-out that is none',
      async (ctx) => done(await ctx.step('s', { timeout: '1 m' as never }, () => 1)),
    ],
    ['attempts that are no number', async (ctx) => done(await ctx.step('s', { attempts: NaN }, () => 1))],
    ['a wait that is none', async (ctx) => done(await ctx.step('s', { backoff: NaN }, () => 1))],
    ['a reason that is none', async () => fail(undefined as never)],
    ['half of a letter as a name', async (ctx) => done(await ctx.once(half, { timeout: '1s' }, () => 1))],
    [
      'half of a letter as a key',
      async (ctx) =>
        done(
          await ctx.map('m', [1], { key: () => half }, (one) => one.once('pay', { timeout: '1s' }, () => 1)),
        ),
    ],
  ])('%s', async ([, turn]) => {
    expect(await played(turn)).toMatchObject({
      status: 'paused',
      code: 'input_refused',
      bodies: 0,
      reopened: 0,
    })
  })

  it('a class that cannot be read back', async () => {
    const encode = ({ amount }: Money) => ({ amount: -amount })
    const decode = (given: unknown) => new Money((given as Money).amount)
    registerClass({ name: 'mistaken money', class: Money, encode, decode })
    const turn: Turn = async (ctx, _, began) =>
      done(
        await ctx.step('s', () => {
          began()
          return new Money(3)
        }),
      )
    expect(await played(turn)).toMatchObject({ status: 'paused', bodies: 1, reopened: 0 })
  })

  it('a state that cannot be kept, of a turn that is interrupted', async () => {
    const working = Promise.withResolvers<void>()
    const turn: Turn = async (ctx, state) => {
      state['f'] = () => 1
      const untilStopped = ({ signal }: { readonly signal: AbortSignal }): Promise<never> =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')))
          working.resolve()
        })
      return done(await ctx.step('s', untilStopped))
    }
    const interrupt = async (run: RunHandle): Promise<void> => {
      await working.promise
      await run.interrupt()
    }
    expect(await played(turn, interrupt)).toMatchObject({
      status: 'paused',
      code: 'value_refused',
      reopened: 0,
    })
  })
})

it('a time that has passed is not slept until, and expires a question at once', async () => {
  const turn: Turn = async (ctx) => {
    await ctx.sleep('until', late)
    const answer = await ctx.ask('q', { question: 1, deadline: late })
    return done(answer.status)
  }
  expect(await played(turn)).toMatchObject({ status: 'done', result: 'expired' })
})

it('what a body throws is recorded, whatever it is', async () => {
  const turn: Turn = async (ctx, _, began) => {
    const body = (): never => {
      began()
      throw Object.create(null)
    }
    return done(await ctx.step('s', { attempts: 1 }, body).catch((error: Error) => error.message))
  }
  expect(await played(turn)).toMatchObject({ status: 'done', result: '[object Object]', bodies: 1 })
})

it('a stream takes letters in halves, and leaves out one whose other half never comes', async () => {
  const chunks: string[] = []
  const turn: Turn = async (ctx, _, began) => {
    const text = await ctx.stream('s', async ({ out }) => {
      began()
      for (const chunk of ['a \ud83d', '\ude00 b', ' \ude00', ' c \ud83d']) {
        await out.write(chunk)
        chunks.push(out.text)
      }
      return out.text
    })
    return done(text)
  }
  const result = 'a 😀 b \ufffd c '
  expect(await played(turn)).toMatchObject({ status: 'done', result, bodies: 1, reopened: 0 })
  expect(chunks).toEqual(['a ', 'a 😀 b', 'a 😀 b \ufffd', result])
})
