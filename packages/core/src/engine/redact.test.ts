import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunId } from '../ids.ts'
import { parseLine } from '../log/entry.ts'
import { handleOf, hastyClock, testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { WaystoneError } from '../errors.ts'
import { fromUtf8 } from '../state/digest.ts'
import { defineAgent, done, next } from './agent.ts'
import type { OnceOptions, RedactOptions, StepOptions } from './ctx.ts'

interface Login {
  readonly user: string
  readonly token: string
  readonly page: string
}

/** More than an entry holds, so that its body is a blob. */
const page = 'what may be known '.repeat(5_000)
const loginOf = (token: string): Login => ({ user: 'ana', token, page })
const hidden = { redact: (login: Login): Login => ({ ...login, token: '***' }) }
const left = { user: 'ana', token: '***', page }

/** Fails with the secret wherever an error can have one. */
function fail(token: string): Login {
  const cause = new Error(`sent ${token}`)
  cause.name = token
  throw Object.assign(new Error(`${token} was refused`, { cause }), { retryable: false, token })
}

/** Has the secret in every way that a body can, and keeps in its state what it was given. `redacts` says whether it redacts. */
function keeper(token: string, redacts = true) {
  const redact: RedactOptions<Login> = redacts ? hidden : {}
  return defineAgent({
    name: 'keeper',
    version: 1,
    initial: () => ({ seen: [] as unknown[], failed: [] as string[] }),
    async turn(ctx, state) {
      if (ctx.turn > 0) {
        await ctx.receive('go' as never)
        return done(ctx.current(state.seen))
      }
      const failures: Record<string, () => Promise<unknown>> = {
        step: () => ctx.step('step fails', redact, () => fail(token)),
        coded: () =>
          ctx.step('coded fails', redact, () => {
            throw new WaystoneError('forbidden', `no ${token}`, { details: { token }, cause: token })
          }),
        once: () => ctx.once('once fails', { timeout: '1s', ...redact }, () => fail(token)),
        refuted: () =>
          ctx.once('refuted', { timeout: '1s', ...redact, verify: async () => ({ done: false }) }, () =>
            fail(token),
          ),
      }
      const redactThrows = { redact: () => fail(token) }
      if (redacts) failures['redact'] = () => ctx.step('redact fails', redactThrows, () => loginOf(token))
      const failed: string[] = []
      for (const [name, call] of Object.entries(failures))
        failed.push(
          await call().then(
            String,
            (error: unknown) => `${name} ${String(Reflect.get(error as object, 'code'))}`,
          ),
        )
      const verified: OnceOptions<Login> = {
        timeout: '1s',
        ...redact,
        verify: async () => ({ done: true, value: loginOf(token) }),
      }
      const seen = [
        await ctx.step('log in', redact, () => loginOf(token)),
        await ctx.once('once', { timeout: '1s', ...redact, undo: () => loginOf(token) }, () =>
          loginOf(token),
        ),
        await ctx.once('verified', verified, () => fail(token)),
      ]
      state.failed = failed
      state.seen = seen
      return next()
    },
  })
}

/** All that is stored and told of a run until it waits, and then was taken back with its effects undone. */
async function everythingOf(agent: ReturnType<typeof keeper>): Promise<{ text: string; state: unknown }> {
  const device = testDevice([agent], { clock: hastyClock })
  const runtime = await device.open()
  const events: unknown[] = []
  const run = await handleOf<{ seen: unknown }>(runtime, await runtime.start('keeper', null, { id: 'run' }))
  await runtime.watch(run.id, (event) => events.push(event))
  const { state } = await run.until(({ status, turn }) => status === 'waiting' && turn === 1)
  await run.rewind({ seq: 0, undo: true })
  await run.until(() => run.entries().some(({ kind }) => kind === 'rewind'))
  await runtime.close()

  const id = 'run' as RunId
  const lines = await device.store.read(id, 0)
  const hashes = lines.flatMap((line) => parseLine(line).blobs ?? [])
  const blobs = await Promise.all(hashes.map((hash) => device.blobs.get(id, hash)))
  const exported: string[] = []
  for await (const line of run.export().lines()) exported.push(line)
  const bytes = [...lines, ...blobs].map((one) => fromUtf8(one as Uint8Array))
  return { text: [...bytes, ...exported, JSON.stringify(events)].join('\n'), state }
}

const secrets = fc.stringMatching(/^[A-Za-z0-9]{16,40}$/)

describe('redact', () => {
  it('leaves a secret in no stored byte, no export and no event: not of results, errors, verifications or undos', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, async (token) => {
        const { text, state } = await everythingOf(keeper(token))
        expect(text.includes(token)).toBe(false)
        expect(state).toEqual({
          seen: [left, left, left],
          failed: [
            'step step_failed',
            'coded forbidden',
            'once step_failed',
            'refuted step_failed',
            'redact step_failed',
          ],
        })
      }),
      { numRuns: 10 },
    )
  })

  it('is what keeps it out: without it the secret is stored', async () => {
    const token = 'a-token-that-nothing-keeps-out'
    const { text } = await everythingOf(keeper(token, false))
    expect(text.split(token).length - 1).toBeGreaterThan(8)
  })

  it('gives a turn the same at first and when it is replayed after a crash', async () => {
    const seen: unknown[] = []
    const agent = defineAgent({
      name: 'twice',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        seen.push(await ctx.step('log in', hidden, () => loginOf('secret')))
        await ctx.receive('go' as never)
        return done(null)
      },
    })
    const device = testDevice([agent])
    const first = await device.open()
    const run = await handleOf(first, await first.start('twice', null, { id: 'run' }))
    await run.until(({ status }) => status === 'waiting')
    await first.close()
    const again = await handleOf(await device.open(), 'run')
    await again.until(({ status }) => status === 'waiting')
    expect(seen).toEqual([left, left])
  })

  it('leaves out of a pause what the failed undo of an effect said', async () => {
    const agent = defineAgent({
      name: 'payer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        if (ctx.turn === 0) {
          const undo = () => fail('the-secret-token')
          await ctx.once('pay', { timeout: '1s', undo, ...hidden }, () => loginOf('the-secret-token'))
          return next()
        }
        await ctx.receive('go' as never)
        return done(null)
      },
    })
    const device = testDevice([agent], { clock: hastyClock })
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('payer', null, { id: 'run' }))
    await run.until(({ status, turn }) => status === 'waiting' && turn === 1)
    await run.cancel('no', { undo: true })
    const { error } = await run.until(({ status }) => status === 'paused')
    expect(error).toMatchObject({ code: 'step_failed', path: '0/pay' })
    const lines = await device.store.read('run' as RunId, 0)
    expect(lines.some((line) => fromUtf8(line).includes('the-secret-token'))).toBe(false)
  })

  const failing = (options: StepOptions & RedactOptions<Login>) =>
    defineAgent({
      name: 'failing',
      version: 1,
      initial: () => ({}),
      turn: async (ctx) => done(await ctx.step('log in', options, () => fail('the-secret-token'))),
    })

  it.each([
    ['says what is recorded of an error', () => 'the desk said no', 'the desk said no'],
    ['that throws says nothing', () => fail('the-secret-token').page, 'left out'],
  ])('with a `redactError` that %s', async (_, redactError, message) => {
    const device = testDevice([failing({ redactError })])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('failing', null, { id: 'run' }))
    const { error } = await run.until(({ status }) => status === 'paused')
    expect(error?.message).toContain(message)
    expect(JSON.stringify(run.entries())).not.toContain('the-secret-token')
  })

  it('that gives a promise fails the call, and nobody hears what that rejects with', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown): unknown => unheard.push(error)
    process.on('unhandledRejection', hear)
    const redact = (async () => fail('the-secret-token')) as unknown as (login: Login) => Login
    const agent = defineAgent({
      name: 'promising',
      version: 1,
      initial: () => ({}),
      turn: async (ctx) => done(await ctx.step('log in', { redact }, () => loginOf('the-secret-token'))),
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('promising', null, { id: 'run' }))
    const { error } = await run.until(({ status }) => status === 'paused')
    await testClock.task()
    process.off('unhandledRejection', hear)
    expect(error).toMatchObject({ code: 'step_failed', path: '0/log in' })
    expect(unheard).toEqual([])
  })

  it.each(['stream', 'artifact'] as const)(
    'is refused by ctx.%s, which stores what it is given',
    async (verb) => {
      const agent = defineAgent({
        name: 'writer',
        version: 1,
        initial: () => ({}),
        async turn(ctx) {
          const call = ctx[verb] as (name: string, options: unknown, body: unknown) => Promise<unknown>
          if (verb === 'stream') await call('text', hidden, () => 'x')
          else await call('text', 'x', hidden)
          return done(null)
        },
      })
      const runtime = await testDevice([agent]).open()
      const run = await handleOf(runtime, await runtime.start('writer', null, { id: 'run' }))
      expect((await run.until(({ status }) => status === 'paused')).error?.code).toBe('input_refused')
    },
  )
})
