import { testRun } from '@waystone/testing'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChromiumPage } from '../../harness/engines.ts'
import { inChromium, type Program } from '../in-chromium.ts'
import { answerTo } from './answer-to.ts'
import { research } from './agent.ts'

/** A step of the log, as the page tells it, or another writer's first entry. */
interface Fact {
  readonly kind: string
  readonly task: string | undefined
}

/** The tasks at which the renderer dies: while it reads, takes notes, writes. */
const deaths = ['read q5-s2', 'doubt q7-s1', 'revise q4']
const pathOf = (task: string): string => `/effect/${encodeURIComponent(task)}`

describe('a research agent of 200 steps in a Web Worker', () => {
  let program: Program
  beforeAll(async () => {
    const files = ['page.ts', 'research.worker.ts'].map((name) => join(import.meta.dirname, name))
    program = await inChromium(files, { answer: ({ path, body }) => answerTo(taskOf(path), body) })
  })
  afterAll(() => program.close())

  it('killed while it reads, takes notes and writes: it ends as if nothing had happened, and asks for nothing twice', async () => {
    const whole = await testRun(research, {
      input: { topic: 'tides' },
      use: {
        desk: {
          read: async (task, source) => answerTo(task, source),
          think: async (task, prompt) => answerTo(task, prompt),
        },
      },
    })
    expect(whole.steps).toHaveLength(202)

    /** The tasks that the service had been asked for when each renderer was gone. */
    const asked: (readonly string[])[] = []
    for (const task of deaths) {
      const held = program.service.hold(pathOf(task))
      const tab = await program.open()
      await held.arrived
      await tab.killRenderer()
      held.drop()
      await tab.close()
      asked.push(program.service.effects().map(({ path }) => taskOf(path)))
    }
    const tab = await program.open()
    await tab.waitFor('globalThis.run !== undefined')
    expect(await tab.evaluate('run.result()')).toEqual(whole.result)

    const facts = await factsOf(tab)
    const recorded = facts.flatMap(({ kind, task }) => (kind === 'step' && task !== undefined ? [task] : []))
    expect(recorded).toHaveLength(202)
    expect(new Set(recorded).size).toBe(202)

    // What was asked for, but not recorded when its renderer died, was asked for again, by the same key. Nothing else.
    const openings = facts.flatMap(({ kind }, at) => (kind === 'open' ? [at] : []))
    expect(openings).toHaveLength(deaths.length)
    const again = asked.flatMap((tasks, death) => {
      const kept = new Set(facts.slice(0, openings[death]).map(({ task }) => task))
      return tasks.filter((task) => !kept.has(task))
    })
    expect(again).toEqual(expect.arrayContaining(deaths))
    expect(again.length).toBeLessThanOrEqual(4 * deaths.length)
    const expected = recorded.map((task) => [task, 1 + again.filter((one) => one === task).length])
    const starts = program.service
      .effects()
      .map(({ key, path }) => [taskOf(path), program.service.starts(key)])
    expect(Object.fromEntries(starts)).toEqual(Object.fromEntries(expected))
  })

  it('its milestones are checkpoints, in their order, each in a turn of its own', async () => {
    const tab = await program.open()
    await tab.waitFor('globalThis.run !== undefined')
    const labels = await tab.evaluate<{ label: string; turn: number }[]>(
      'all().then((run) => run.checkpoints().filter(({ label }) => label !== undefined).map(({ label, turn }) => ({ label, turn })))',
    )
    expect(labels).toEqual([
      { label: 'planned', turn: 0 },
      { label: 'read', turn: 1 },
      { label: 'noted', turn: 11 },
      { label: 'ranked', turn: 12 },
      { label: 'written', turn: 13 },
    ])
    await tab.waitFor(
      `document.body.textContent.endsWith('entries: planned, read, noted, ranked, written') && document.body.textContent.startsWith('done')`,
    )
  })
})

function taskOf(path: string): string {
  return decodeURIComponent(path.slice('/effect/'.length))
}

/** The log as far as this test looks at it: the last name of a step's path is its task. */
function factsOf(tab: ChromiumPage): Promise<readonly Fact[]> {
  return tab.evaluate(
    `all().then((run) => run.entries().map(({ kind, body }) => ({ kind, task: body.path?.split('/').at(-1) })))`,
  )
}
