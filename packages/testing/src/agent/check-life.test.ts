import { defineAgent, done } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { checkLife, type LifeRecord } from './check-life.ts'
import type { Started } from './scene.ts'
import { testRunId } from './test-device.ts'
import { testRun } from './test-run.ts'

const payer = defineAgent({
  name: 'payer',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    const cents = await ctx.step('count', () => 500)
    await ctx.once('pay', { timeout: '10s' }, () => cents)
    return done(cents)
  },
})
const count: Started = { run: testRunId, path: '0/count', kind: 'step' }
const pay: Started = { run: testRunId, path: '0/pay', kind: 'once' }

async function record(change: Partial<LifeRecord<typeof payer>> = {}): Promise<LifeRecord<typeof payer>> {
  const result = await testRun(payer, {})
  return {
    result,
    kept: 4,
    died: true,
    before: [count, pay],
    after: [],
    retried: new Set(),
    world: 0,
    ...change,
  }
}

async function check(killed: LifeRecord<typeof payer>): Promise<void> {
  checkLife(await record(), killed, 'payer, killed,', undefined)
}

/** The same run, had its effect been started as often. */
async function startedTwice(change: Partial<LifeRecord<typeof payer>>): Promise<LifeRecord<typeof payer>> {
  const life = await record({ after: [pay], ...change })
  const effects = life.result.effects.map((effect) => ({ ...effect, started: 2 }))
  return { ...life, result: { ...life.result, effects } }
}

describe('checkLife()', () => {
  it('finds nothing in a run that did what the whole one did', async () => {
    await check(await record())
  })

  it('finds a recorded step that ran again', async () => {
    await expect(record({ after: [count] }).then(check)).rejects.toThrow(
      'ran a recorded step again: 0/count: expected "its record", found "its body"',
    )
  })

  it('lets a step that was not recorded run again', async () => {
    await check(await record({ kept: 2, after: [count] }))
  })

  it('finds an effect that was started again although nobody had decided so', async () => {
    await expect(startedTwice({}).then(check)).rejects.toThrow(
      'started an effect again, and nobody had decided so: 0/pay: expected 1, found 2',
    )
  })

  it('takes verify() and the policy of the agent for decisions', async () => {
    await check(await startedTwice({ after: [{ ...pay, kind: 'verify' }, pay] }))
    await check(await startedTwice({ retried: new Set(['0/pay']) }))
  })

  it('finds a world that differs, and where', async () => {
    await expect(record({ world: 1 }).then(check)).rejects.toThrow(
      'left another world: effects: expected 0, found 1',
    )
  })
})
