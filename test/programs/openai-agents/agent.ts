import {
  Agent,
  Runner,
  tool,
  ToolCallError,
  type AgentInputItem,
  type Model,
  type RunState,
} from '@openai/agents-core'
import { defineAgent, done, need, next, type Ctx, type SequentialCtx } from '@waystone/core'
import { z } from 'zod'
import { callIdOf, durableModel } from './durable-agents.ts'

/** What the help desk can do in the world. */
export interface Shop {
  findOrder(order: string): Promise<{ readonly item: string; readonly cents: number }>
  refund(order: string, cents: number, key: string): Promise<string>
}

const needs = { model: need<Model>(), shop: need<Shop>() }
const inbox = { customer: z.string().min(1) }
type DeskCtx = Ctx<typeof needs, typeof inbox>
type AnswerCtx = SequentialCtx<typeof needs, typeof inbox>

/** A help desk that looks up orders by itself and gives money back only when a person has said yes. */
export const helpDesk = defineAgent({
  name: 'help-desk',
  version: 1,
  needs,
  inbox,
  initial: (input: { readonly stream: boolean }) => ({
    stream: input.stream,
    history: [] as AgentInputItem[],
    answers: [] as string[],
  }),
  async turn(ctx, state) {
    const text = await ctx.receive('customer')
    if (text === 'bye') return done(state.answers.at(-1))
    const asked: AgentInputItem[] = [...ctx.current(state.history), { role: 'user', content: text }]
    const { history, answer } = await answerTo(ctx, asked, state.stream)
    state.history = history
    state.answers.push(answer)
    return next()
  },
})

/** Runs the agent of the SDK until it has an answer. Where the SDK is interrupted for an approval, a person is asked. */
function answerTo(ctx: DeskCtx, asked: AgentInputItem[], stream: boolean) {
  return ctx.scope('answer', { sequential: true }, async (c) => {
    const agent = deskAgent(c)
    // Without tracing, which would send what happens to a server, from outside of any step.
    const runner = new Runner({ tracingDisabled: true })
    const run = async (input: AgentInputItem[] | RunState<undefined, typeof agent>) => {
      try {
        if (!stream) return await runner.run(agent, input)
        const result = await runner.run(agent, input, { stream })
        await result.completed
        return result
      } catch (error) {
        // By the error of its step, as `ctx` threw it, a retry knows which one to run again.
        throw error instanceof ToolCallError ? error.error : error
      }
    }
    let result = await run(asked)
    while (result.interruptions.length > 0) {
      for (const approval of result.interruptions) {
        const question = { tool: approval.name, arguments: approval.arguments }
        const name = `approve ${callIdOf(approval.rawItem)}`
        const decided = await c.ask(name, { question, schema: z.boolean() })
        if (decided.status === 'answered' && decided.value) result.state.approve(approval)
        else result.state.reject(approval)
      }
      result = await run(result.state)
    }
    return { history: structuredClone(result.history), answer: result.finalOutput ?? '' }
  })
}

function deskAgent(c: AnswerCtx) {
  // By default the SDK tells the model of every error of a tool. What `ctx` throws is to reach the turn, which pauses:
  // a person may `retry` then.
  const errorFunction = null
  const findOrder = tool({
    name: 'find_order',
    description: 'What was ordered, and what it cost',
    parameters: z.object({ order: z.string() }),
    errorFunction,
    execute: ({ order }, _, details) =>
      c.step(`find ${callIdOf(details?.toolCall)}`, () => c.use.shop.findOrder(order)),
  })
  const refund = tool({
    name: 'refund',
    description: 'Gives the money for an order back',
    parameters: z.object({ order: z.string(), cents: z.number() }),
    needsApproval: true,
    errorFunction,
    execute: ({ order, cents }, _, details) =>
      c.once(`refund ${callIdOf(details?.toolCall)}`, { timeout: '30s' }, ({ idempotencyKey }) =>
        c.use.shop.refund(order, cents, idempotencyKey),
      ),
  })
  return new Agent({
    name: 'Help desk',
    instructions: 'Help customers with their orders.',
    model: durableModel(c, c.use.model),
    tools: [findOrder, refund],
  })
}
