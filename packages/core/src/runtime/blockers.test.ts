import { describe, expect, it } from 'vitest'
import { defineAgent, done, need, type AnyAgent } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'

const agent = (step: string) =>
  defineAgent({
    name: 'mover',
    version: 1,
    needs: { llm: need<() => string>(), publish: need<() => string>({ at: 'edge' }) },
    initial: () => ({}),
    async turn(ctx) {
      await ctx.step(step, () => 1)
      await ctx.ask('sure', { question: 'Sure?' })
      return done()
    },
  })
const llm = (): string => 'x'
const publish = (): string => 'y'

async function blockersOf(here: AnyAgent, there: readonly AnyAgent[]): Promise<readonly string[]> {
  const edge = memoryEdge({ clock: hastyClock, agents: there })
  const runtime = await testDevice([here], { edge }).open()
  const run = await handleOf(runtime, await runtime.start('mover', null, {}))
  await run.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
  const blockers = await run.blockers('edge')
  const moved = run.move('edge', {})
  if (blockers.length === 0) await moved
  else await expect(moved).rejects.toMatchObject({ code: 'move_refused' })
  await runtime.close()
  return blockers
}

describe('blockers()', () => {
  it('names what is missing at the edge, before a move that would be refused', async () => {
    const here = agent('one').provide({ llm })
    expect(await blockersOf(here, [])).toEqual([expect.stringContaining('"mover"')])
    expect(await blockersOf(here, [agent('one')])).toEqual(['edge does not provide llm, publish'])
    expect(await blockersOf(here, [agent('one').provide({ llm, publish })])).toEqual([])
  })

  it('names the first call that the code at the edge would not make', async () => {
    const there = agent('other').provide({ llm, publish })
    const [blocker] = await blockersOf(agent('one').provide({ llm }), [there])
    expect(blocker).toContain('expected step "0/one"')
  })

  it('names what is missing here, before the run is brought here', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [agent('one').provide({ llm, publish })] })
    const laptop = await testDevice([agent('one').provide({ llm })], { edge }).open()
    const run = await handleOf(laptop, await laptop.start('mover', null, {}))
    await run.until(({ status }) => status === 'waiting')
    await run.move('edge')
    const phone = await testDevice([agent('one')], { edge, name: 'phone' }).open()
    const there = await handleOf(phone, run.id)
    await there.until(({ owner }) => owner === 'edge')
    expect(await there.blockers('here')).toEqual(['browser does not provide llm'])
    await expect(there.move('here')).rejects.toThrow('does not provide llm')
    expect(await run.blockers('here')).toEqual([])
    await run.move('here')
    await laptop.close()
    await phone.close()
  })
})
