import fc from 'fast-check'
import { expect, it } from 'vitest'
import { handleOf, testDevice } from '../runtime/memory-world.test-support.ts'
import type { RunHandle } from '../runtime/run-handle.ts'
import { defineAgent, done, type AnyAgent } from './agent.ts'
import { crashedAfter } from './crash.test-support.ts'
import type { Ctx, Schema } from './ctx.ts'

/** What a turn does: a call, or a way to make several. */
type Program =
  | { readonly does: 'step' | 'stream' | 'once'; readonly ms: number; readonly fails: boolean }
  | { readonly does: 'ask' | 'receive' | 'drain' | 'label' }
  | { readonly does: 'sleep' | 'hops'; readonly ms: number }
  | { readonly does: (typeof containers)[number]; readonly parts: readonly Program[] }

const containers = ['one by one', 'all', 'allSettled', 'map', 'race', 'any', 'scope', 'try'] as const
const ms = fc.nat(4)

const programs = fc.letrec<{ program: Program; call: Program; group: Program }>((tie) => ({
  program: fc.oneof({ maxDepth: 3, withCrossShrink: true }, tie('call'), tie('group')),
  call: fc.oneof(
    fc.record({ does: fc.constantFrom('step', 'step', 'stream', 'once'), ms, fails: fc.boolean() }),
    fc.record({ does: fc.constantFrom('ask', 'receive', 'drain', 'label') }),
    fc.record({ does: fc.constantFrom('sleep', 'hops'), ms }),
  ) as fc.Arbitrary<Program>,
  group: fc.record({
    does: fc.constantFrom(...containers),
    parts: fc.array(tie('program'), { minLength: 1, maxLength: 3 }),
  }),
})).program

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
type AnyCtx = Ctx<Record<never, never>, { note: typeof anything }>

/** Tells a test that a body runs. */
type Ran = (path: string) => void

async function act(ctx: AnyCtx, program: Program, name: string, path: string, ran: Ran): Promise<unknown> {
  const own = `${path}/${name}`
  switch (program.does) {
    case 'step':
      return ctx.step(name, { attempts: 2, backoff: 1 }, () => body(program, own, ran))
    case 'stream':
      return ctx.stream(name, { attempts: 2, backoff: 1 }, () => body(program, own, ran))
    case 'once':
      return ctx.once(name, { timeout: '50ms', onUnknown: 'fail' }, () => body(program, own, ran))
    case 'ask':
      return ctx.ask(name, { question: name })
    case 'receive':
    case 'drain':
      return ctx[program.does]('note', { key: name })
    case 'label':
      return ctx.label(name)
    case 'sleep':
      return ctx.sleep(name, program.ms)
    case 'hops':
      for (let hop = 0; hop < 3 * program.ms; hop += 1) await Promise.resolve()
      return undefined
    default:
      return actAll(ctx, program.does, program.parts, name, { path, ran })
  }
}

async function body(
  { ms: takes, fails }: { readonly ms: number; readonly fails: boolean },
  own: string,
  ran: Ran,
): Promise<string> {
  ran(own)
  if (takes > 0) await new Promise((resolve) => setTimeout(resolve, takes))
  if (fails) throw new Error(`${own} fails`)
  return own
}

async function actAll(
  ctx: AnyCtx,
  does: (typeof containers)[number],
  parts: readonly Program[],
  name: string,
  { path, ran }: { readonly path: string; readonly ran: Ran },
): Promise<unknown> {
  const own = `${path}/${name}`
  const part = (c: unknown, index: number, within: string): Promise<unknown> =>
    act(c as AnyCtx, parts[index] as Program, `p${String(index)}`, within, ran)
  const branches = Object.fromEntries(
    parts.map((_, index) => [`b${String(index)}`, (c: AnyCtx) => part(c, index, `${own}/b${String(index)}`)]),
  )
  switch (does) {
    case 'map':
      return ctx.map(name, parts, { key: (_, at) => `b${String(at)}`, concurrency: 2 }, (c, _, at) =>
        part(c, at, `${own}/b${String(at)}`),
      )
    case 'scope':
      return ctx.scope(name, (c) => part(c, 0, own))
    case 'all':
    case 'race':
    case 'any':
      return ctx[does](name, branches)
    case 'allSettled':
      return Object.keys(await ctx.allSettled(name, branches))
    case 'try':
      return ctx.scope(name, (c) => part(c, 0, own)).catch(() => 'caught')
    case 'one by one':
      return ctx.scope(name, async (c) => {
        for (const index of parts.keys()) await part(c, index, own)
      })
  }
}

function agentOf(program: Program, ran: Ran): AnyAgent {
  return defineAgent({
    name: 'any',
    version: 1,
    inbox: { note: anything },
    initial: () => ({ ended: '' }),
    async turn(ctx, state) {
      const ended = await act(ctx, program, 'main', String(ctx.turn), ran).then(
        () => 'well',
        (error: unknown) => (error as { code?: string }).code ?? 'badly',
      )
      state.ended = ended
      return done(ended)
    },
  })
}

/** Runs an agent to its end, with somebody who answers what it asks and sends what it waits for. */
async function finished(device: ReturnType<typeof testDevice>): Promise<RunHandle> {
  const runtime = await device.open()
  const run = await handleOf(runtime, await runtime.start('any', null, { id: 'run' }))
  const help = (): void => {
    const { asks = [], live } = run.view() ?? {}
    for (const { ask } of asks) void run.answer(ask, 'yes').catch(() => undefined)
    for (const { path, waits } of live?.calls ?? [])
      if (waits?.for === 'message')
        void run
          .send('note', 'hello', { id: `${path}-${String(run.entries().length)}` })
          .catch(() => undefined)
  }
  const stop = run.subscribe(help)
  await run.until(({ status }) => status === 'done' || status === 'paused')
  stop()
  await runtime.close()
  return run
}

const recordedKinds: ReadonlySet<string> = new Set(['step', 'once', 'once.start'])

it('any program comes to an end that its replay agrees with, killed after whichever of its entries', async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      // In development every turn is replayed before it commits.
      const source = testDevice([agentOf(program, () => undefined)], { development: true })
      const whole = await finished(source)
      expect(whole.view()?.error).toBeUndefined()
      const lines = await source.store.read('run' as never, 0)
      for (let kept = 1; kept < lines.length; kept += 1) {
        const ran: string[] = []
        const device = await crashedAfter(
          agentOf(program, (path) => ran.push(path)),
          lines.slice(0, kept),
          testDevice([]),
        )
        const again = await finished(device)
        const where = `killed after entry ${String(kept - 1)} (${String(whole.entries()[kept - 1]?.kind)})`
        expect(again.view()?.error, where).toBeUndefined()
        const recorded = whole
          .entries()
          .slice(0, kept)
          .flatMap(({ kind, body: of }) => (recordedKinds.has(kind) && 'path' in of ? [of.path] : []))
        expect(
          ran.filter((path) => recorded.includes(path)),
          where,
        ).toEqual([])
      }
    }),
    { numRuns: Number(process.env['FC_RUNS'] ?? 60) },
  )
}, 180_000)
