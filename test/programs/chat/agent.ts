import type { LanguageModelV4 } from '@ai-sdk/provider'
import { defineAgent, done, need, next } from '@waystone/core'
import { stepCountIs, streamText, tool, type ModelMessage } from 'ai'
import { z } from 'zod'
import { durableModel, durableTools } from './durable-ai.ts'

/** What the chat can do in the world. */
export interface Desk {
  weather(city: string): Promise<string>
  sendMail(mail: { readonly to: string; readonly text: string }, key: string): Promise<string>
}

/** A chat that looks up the weather by itself and sends a mail only when a person has said yes. */
export const chat = defineAgent({
  name: 'chat',
  version: 1,
  config: { model: 'scripted', maxSteps: 8 },
  needs: { model: need<LanguageModelV4>(), desk: need<Desk>() },
  inbox: { user: z.string().min(1) },
  initial: () => ({ messages: [] as ModelMessage[] }),
  async turn(ctx, state) {
    const text = await ctx.receive('user')
    if (text === 'bye') return done(state.messages.length)
    const asked: ModelMessage[] = [...ctx.current(state.messages), { role: 'user', content: text }]
    const answer = await ctx.scope('answer', { sequential: true }, async (c) => {
      const tools = durableTools(
        c,
        {
          weather: tool({
            description: 'The weather in a city',
            inputSchema: z.object({ city: z.string() }),
            execute: ({ city }) => ctx.use.desk.weather(city),
          }),
          sendMail: tool({
            description: 'Sends a mail, after a person has approved it',
            inputSchema: z.object({ to: z.string(), text: z.string() }),
            execute: async () => 'never run without approval',
          }),
        },
        async (name, { id, input }, execute) => {
          if (name !== 'sendMail') return c.step(`${name} ${id}`, ({ signal }) => execute(signal))
          const mail = input as { to: string; text: string }
          const approved = await c.ask(`approve ${id}`, { question: mail, schema: z.boolean() })
          if (approved.status !== 'answered' || !approved.value) return 'The person said no.'
          return c.once(`send ${id}`, { timeout: '30s' }, ({ idempotencyKey }) =>
            ctx.use.desk.sendMail(mail, idempotencyKey),
          )
        },
      )
      const { responseMessages } = streamText({
        model: durableModel(c, ctx.use.model),
        messages: asked,
        tools,
        stopWhen: stepCountIs(8),
        // Attempts are the engine's: two loops of retries would multiply.
        maxRetries: 0,
        _internal: { generateId: () => c.uuid(), now: () => c.now() },
      })
      return responseMessages
    })
    // Through its stored form: what is in the state is what a model was told.
    state.messages = structuredClone([...asked, ...answer])
    return next()
  },
})
