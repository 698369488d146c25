import { openWaystone } from '@waystone/browser'
import { toWire, type MoveTarget, type RunHandle } from '@waystone/core'
import { ticker } from './move-agent.ts'

/** What a move came to: `code` is that of its error, `late` when it has not come to an end in time. */
export interface Moved {
  readonly code?: string
  readonly message?: string
}

const query = new URLSearchParams(location.search)
const opening = openWaystone({
  worker: () => new Worker('/move-worker.js', { type: 'module' }),
  edge: { url: query.get('edge') ?? '', token: () => query.get('token') ?? '' },
})
const runs = new Map<string, Promise<RunHandle>>()

/** What the benchmark calls in the page. Everything it gives is JSON. */
const mover = {
  device: async (): Promise<string> => (await opening).device,

  async start(id: string, bytes: number, tickMs: number): Promise<void> {
    await (await opening).start(ticker, { bytes, tickMs }, { id })
  },

  run(id: string): Promise<RunHandle> {
    const run = runs.get(id) ?? opening.then((way) => way.open(id) as Promise<RunHandle>)
    runs.set(id, run)
    return run
  },

  /** Resolves when this page has an entry and what the edge has is known here. */
  async reached(id: string, seq: number): Promise<void> {
    await (await mover.run(id)).until(({ head }) => head.seq >= seq)
  },

  async move(id: string, to: MoveTarget, force: boolean, msMax: number): Promise<Moved> {
    const run = await mover.run(id)
    const late = new Promise<Moved>((resolve) =>
      setTimeout(resolve, msMax, { code: 'late', message: `not moved within ${String(msMax / 1_000)} s` }),
    )
    const moving = run.move(to, { force }).then(
      (): Moved => ({}),
      (error: unknown): Moved => toWire(error),
    )
    return Promise.race([moving, late])
  },

  /** How many entries of this device were set aside. */
  async setAside(id: string): Promise<number> {
    const tails = await (await mover.run(id)).setAside()
    return tails.reduce((sum, { lines }) => sum + lines.length, 0)
  },

  async cancel(id: string): Promise<void> {
    await (await mover.run(id)).cancel('the benchmark is over')
  },
}

Object.assign(globalThis, { mover })
