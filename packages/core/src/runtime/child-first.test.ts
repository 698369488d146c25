import { describe, expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import { parseLine } from '../log/entry.ts'
import type { Remote } from '../ports/remote.ts'
import type { RunId } from '../ids.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'

const child = defineAgent({
  name: 'child',
  version: 1,
  initial: (input: { text: string }) => input,
  turn: async (_, state) => done(state.text.length),
})

/** Starts a child, and waits for a person before it joins it. `chars`: how long the input of the child is. */
const parentOf = (chars: number) =>
  defineAgent({
    name: 'parent',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const started = await ctx.spawn('child', child, { text: 'x'.repeat(chars) })
      await ctx.ask('go on?', { question: null })
      return done(await ctx.join(started))
    },
  })

/** An edge that is slow to take children, or refuses them; `order` is in which it has taken what. */
function slowEdge(parent: ReturnType<typeof parentOf>, refusal?: WaystoneError) {
  const edge = memoryEdge({ clock: testClock, agents: [parent, child] })
  const order: string[] = []
  const isParent = (run: RunId): boolean => run === 'parent'
  const took = (run: RunId, lines: readonly Uint8Array[]): void => {
    const kinds = lines.map((line) => parseLine(line).kind)
    if (isParent(run)) order.push(...kinds.filter((kind) => kind === 'spawn'))
    else if (kinds.includes('start')) order.push('child')
  }
  const push: Remote['push'] = async (run, append) => {
    for (let tasks = 0; tasks < 100 && !isParent(run); tasks += 1) await testClock.task()
    if (refusal && !isParent(run)) throw refusal
    const pushed = await edge.remote.push(run, append)
    if (pushed.ok) took(run, append.lines)
    return pushed
  }
  const claim: Remote['claim'] = async (run, wanted) => {
    const claimed = await edge.remote.claim(run, wanted)
    took(run, wanted.tail?.lines ?? [])
    return claimed
  }
  return { edge: { ...edge, remote: { ...edge.remote, push, claim } }, order }
}

async function started(chars: number, refusal?: WaystoneError) {
  const parent = parentOf(chars)
  const { edge, order } = slowEdge(parent, refusal)
  const runtime = await testDevice([parent, child], { edge, clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('parent', null, { id: 'parent' }))
  await run.until(({ asks }) => asks.length > 0)
  return { runtime, run, order }
}

describe('a child', () => {
  it.each([10, 200_000])(
    'is at the edge before its parent says so, its input %i characters',
    async (chars) => {
      const { runtime, run, order } = await started(chars)
      await run.until(({ head, sync }) => sync.synced?.seq === head.seq)
      expect(order).toEqual(['child', 'spawn'])
      await runtime.close()
    },
  )

  it('is at the edge before its parent moves there', async () => {
    const { runtime, run, order } = await started(10)
    await run.move('edge')
    expect(run.view()?.owner).toBe('edge')
    expect(order).toEqual(['child', 'spawn'])
    await runtime.close()
  })

  it.each(['unauthorized', 'unreachable'] as const)(
    'does not keep its parent from it when it is %s',
    async (code) => {
      const { runtime, run, order } = await started(10, new WaystoneError(code, 'not this one'))
      await run.until(({ head, sync }) => sync.synced?.seq === head.seq)
      expect(order).toEqual(['spawn'])
      await runtime.close()
    },
  )
})
