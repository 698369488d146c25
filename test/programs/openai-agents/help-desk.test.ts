import { setTracingDisabled } from '@openai/agents-core'
import { crashEverywhere, testRun } from '@waystone/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helpDesk, type Shop } from './agent.ts'
import { replyTo } from './reply-to.ts'
import { scriptedModel } from './scripted-model.ts'

/** A world in which every call of the model and of a tool is counted. */
function world() {
  const calls: string[] = []
  const model = scriptedModel(replyTo, ({ input }) => calls.push(`model ${String(input.length)}`))
  const shop: Shop = {
    findOrder: async (order) => (calls.push(`find ${order}`), { item: 'lamp', cents: 4_900 }),
    refund: async (order, cents) => (calls.push(`refund ${order} ${String(cents)}`), 'paid back'),
  }
  return { calls, model, shop }
}

const messages = { customer: ['My lamps came broken.', 'Thank you.', 'bye'] }

describe.each([
  { how: 'whole', stream: false },
  { how: 'streamed', stream: true },
])('an agent of OpenAI Agents whose answers come $how', ({ stream }) => {
  const options = { input: { stream }, messages }
  // Under a test runner the SDK does not trace. Here it would, as where it is deployed, and read the clock in the turn.
  beforeAll(() => setTracingDisabled(false))
  afterAll(() => setTracingDisabled(true))

  it('calls two tools at once, and pays back what a person has approved', async () => {
    const { calls, ...use } = world()
    const { result, state, asks, streams } = await testRun(helpDesk, {
      ...options,
      use,
      answers: { 'approve refund-a': true },
    })
    expect(result).toBe('It is settled.')
    // The number is how many items of the conversation the model was given.
    expect(calls).toEqual([
      ...['model 1', 'find a', 'find b'],
      ...['model 5', 'refund a 4900'],
      ...['model 8', 'model 10'],
    ])
    expect(asks.map(({ question }) => question)).toEqual([
      { tool: 'refund', arguments: '{"order":"a","cents":4900}' },
    ])
    expect(state.history.map((item) => item.type ?? 'message')).toEqual([
      'message',
      ...['function_call', 'function_call', 'function_call_result', 'function_call_result'],
      ...['message', 'function_call', 'function_call_result', 'message'],
      ...['message', 'message'],
    ])
    expect(Object.values(streams).includes('It is settled.')).toBe(stream)
  })

  it('tells the model when a person has refused, and does not pay', async () => {
    const { calls, ...use } = world()
    const { result } = await testRun(helpDesk, { ...options, use, answers: { 'approve refund-a': false } })
    expect(result).toBe('It is settled.')
    expect(calls.filter((call) => call.startsWith('refund'))).toEqual([])
  })

  it('pauses when a tool fails for good, so that a retry runs its step again', async () => {
    const { shop, model } = world()
    const findOrder = (): Promise<never> => Promise.reject(new Error('the shop is closed'))
    const use = { model, shop: { ...shop, findOrder } }
    const { status, error, entries } = await testRun(helpDesk, { ...options, use })
    expect({ status, path: error?.path }).toEqual({ status: 'paused', path: '0/answer/find find-a' })
    const failed = entries.find(
      ({ kind, body }) => kind === 'step' && 'outcome' in body && 'error' in body.outcome,
    )
    expect(entries.at(-1)).toMatchObject({ kind: 'pause', body: { drop: failed?.digest } })
  })

  it('killed after every entry and in every stream: no recorded call of the model or a tool happens again, one payment, equal answer and history', async () => {
    const { whole, kills } = await crashEverywhere(helpDesk, {
      ...options,
      use: world,
      effects: ({ calls }) => ({
        calls: [...new Set(calls)].toSorted(),
        // At most what was under way when the host died: a call of the model, or two of a tool.
        again: calls.length - new Set(calls).size <= 2,
        payments: calls.filter((call) => call.startsWith('refund')),
      }),
      answers: { 'approve refund-a': true },
    })
    // After every entry; before and after the payment's beginning; in the middle of each text of several words.
    expect(kills).toHaveLength(whole.entries.length + 1 + (stream ? 3 : 0))
    expect(whole.effects.map(({ started }) => started)).toEqual([1])
  })
})
