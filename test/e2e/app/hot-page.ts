import { openWaystone, type Waystone } from '@waystone/browser'
import { defineAgent, done, next, type AnyAgent, type RunHandle } from '@waystone/core'

/** The agent as its author edits it: the code of a module that hot reload has loaded anew. */
const code: Readonly<Record<string, () => AnyAgent>> = {
  first: () =>
    writer('a step, then a payment', async (ctx) => void (await ctx.step('draft', () => count('draft')))),
  /** Another verb where the step was. */
  edited: () => writer('a nap, then a payment', (ctx) => ctx.sleep('draft', 1)),
}

type Ctx = Parameters<Parameters<typeof defineAgent>[0]['turn']>[0]

const writer = (text: string, edited: (ctx: Ctx) => Promise<void>): AnyAgent =>
  defineAgent({
    name: 'writer',
    version: 1,
    initial: () => ({ turns: 0 }),
    async turn(ctx, state) {
      state.turns += 1
      if (ctx.turn === 0) return next()
      await edited(ctx)
      await ctx.once('pay', { timeout: '1s' }, () => count('pay'))
      const answer = await ctx.ask('good', { question: 'Is it good?' })
      return done(answer.status === 'answered' ? text : '')
    },
  })

/** How often bodies were started, in all pages of this browser. */
function count(body: string): void {
  localStorage.setItem(body, String(Number(localStorage.getItem(body)) + 1))
}

const opened: Waystone[] = []
const runs = new Map<string, RunHandle>()

/** What tests ask of the page. Everything it gives is JSON. */
const hot = {
  /** As a module does that was loaded anew, and as strict mode does, which does all twice. */
  async load(name: string): Promise<boolean> {
    const agents = (): readonly AnyAgent[] => [code[name]?.() as AnyAgent]
    opened.push(await openWaystone({ agents: agents() }), await openWaystone({ agents: agents() }))
    return opened.every((one) => one === opened[0])
  },
  async start(id: string): Promise<void> {
    await opened[0]?.start('writer', undefined, { id })
  },
  async run(id: string): Promise<RunHandle> {
    const run = runs.get(id) ?? (await opened[0]?.open(id))
    if (run === undefined) throw new Error('nothing was loaded')
    runs.set(id, run)
    return run
  },
  async view(id: string): Promise<unknown> {
    const view = (await hot.run(id)).view()
    return (
      view && { status: view.status, turn: view.turn, head: view.head, pause: view.pause, asks: view.asks }
    )
  },
  async restart(id: string): Promise<void> {
    await (await hot.run(id)).restart()
  },
  async fork(id: string): Promise<string> {
    return (await hot.run(id)).fork()
  },
  async paid(id: string): Promise<void> {
    const run = await hot.run(id)
    const unknown = run.view()?.pause?.error.details as { readonly start: string } | undefined
    await run.decide(unknown?.start ?? '', { type: 'done', value: undefined })
  },
  async answer(id: string): Promise<unknown> {
    const run = await hot.run(id)
    const { asks } = await run.until((view) => view.asks.length > 0)
    await run.answer(asks[0]?.ask ?? '', 'yes')
    return run.result()
  },
  /** A worker that is saved with a mistake in it, and then without: what a handle from before tells in the end. */
  async mendWorker(mistaken: string, mended: string): Promise<unknown> {
    const load = (script: string): Promise<Waystone> =>
      openWaystone({ name: 'worker', worker: () => new Worker(script, { type: 'module' }) })
    const waystone = await load(mended)
    const run = await waystone.start('asker', { server: '' })
    await run.until(({ asks }) => asks.length > 0)
    await load(mistaken)
    const refused = await waystone.restartWorker().then(String, (error: { code: string }) => error.code)
    await load(mended)
    await waystone.restartWorker()
    await run.cancel('over')
    const { status } = await run.until((view) => view.status === 'cancelled')
    return { refused, status }
  },
  started: (): unknown => ({
    draft: Number(localStorage.getItem('draft')),
    pay: Number(localStorage.getItem('pay')),
  }),
}

Object.assign(globalThis, { hot })
