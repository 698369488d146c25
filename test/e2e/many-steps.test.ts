import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream } from '../harness/event-stream.ts'
import { poll } from '../harness/poll.ts'
import { hurrying, together } from './app/edge-agents.ts'
import { pushRun } from './pushed-run.ts'
import { startWorld, type World } from './world.ts'

/** What workerd may have of memory for a run that is open: a database of its own, most of all. */
const runBytesMax = 1.5 * 1024 ** 2

describe('a run with many steps, and many runs, at the edge', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${world.edge().url}${path}`, { headers: world.headers, ...init })
  const linesOf = async (run: string, from = 0): Promise<readonly { kind: string; body: never }[]> => {
    const text = await (await ask(`/v1/runs/${run}/entries?from=${String(from)}`)).text()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { kind: string; body: never })
  }

  it('goes on in alarm after alarm, none of which does more than its share', async () => {
    const run = 'own-hurrying'
    await pushRun(world, run, hurrying, { steps: 150 })
    const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
    await stream.closed
    expect(JSON.parse(stream.events().at(-1)?.data ?? '{}')).toEqual({ status: 'done', result: 150 })
    const { steps } = (await (await ask(`/own/${run}/kept`)).json()) as { steps: readonly number[] }
    expect(steps.reduce((sum, one) => sum + one, 0)).toBe(150)
    // An alarm that has done its share begins nothing; what had begun then ends.
    expect(Math.max(...steps)).toBeLessThanOrEqual(21)
    expect(steps.filter((one) => one > 0).length).toBeGreaterThanOrEqual(8)
  })

  it('pauses when its budget is used up, and goes on when a person allows more', async () => {
    const run = 'own-thrifty'
    await pushRun(world, run, hurrying, { steps: 60 }, { budget: { cost: 30 } })
    const pauseOf = async () => (await linesOf(run)).find(({ kind }) => kind === 'pause')
    const pause = await poll(pauseOf, { timeoutMs: 30_000, message: () => 'the run does not pause' })
    expect(pause.body).toMatchObject({
      reason: 'budget',
      error: { code: 'budget_spent', run, details: { limit: 'cost', expected: 30, found: 30 } },
    })
    const item = { type: 'retry', id: 'more', by: 'ana', time: 0, budget: { cost: 100 } }
    const sent = await ask(`/v1/runs/${run}/inbox`, { method: 'POST', body: JSON.stringify(item) })
    expect(sent.status).toBe(204)
    const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
    await stream.closed
    expect(JSON.parse(stream.events().at(-1)?.data ?? '{}')).toEqual({ status: 'done', result: 60 })
    const lines = await linesOf(run)
    expect(lines.filter(({ kind }) => kind === 'step')).toHaveLength(60)
    expect(lines.find(({ kind }) => kind === 'retry')?.body).toMatchObject({ budget: { cost: 100 } })
  })

  it('has a thousand runs in a step at once, and all of them finish', { timeout: 240_000 }, async () => {
    const runs = Array.from({ length: 1_000 }, (_, number) => `together-${String(number)}`)
    const before = world.edge().memory()
    const each = async (work: (run: string) => Promise<void>): Promise<void> => {
      const left = [...runs]
      const worker = async (): Promise<void> => {
        for (let run = left.pop(); run !== undefined; run = left.pop()) await work(run)
      }
      await Promise.all(Array.from({ length: 16 }, worker))
    }
    await each((run) => pushRun(world, run, together, { runs: runs.length }))
    await each(async (run) => {
      const last = await poll(
        async () => {
          const line = (await linesOf(run)).at(-1)
          return line?.kind === 'commit' && 'result' in (line.body as { next: object }).next
            ? line
            : undefined
        },
        {
          everyMs: 500,
          timeoutMs: 90_000,
          message: async () => `${run} does not end: ${JSON.stringify(await linesOf(run))}`,
        },
      )
      expect((last.body as { next: unknown }).next).toEqual({ type: 'done', result: runs.length })
    })
    expect(world.edge().memory() - before).toBeLessThan(runs.length * runBytesMax)
  })
})
