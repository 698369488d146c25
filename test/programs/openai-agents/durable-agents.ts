import { Usage, type Model, type ModelRequest, type StreamEvent } from '@openai/agents-core'
import type { SequentialCtx } from '@waystone/core'

/**
 * A model of OpenAI Agents whose every call is a recorded step: numbered, since the SDK has no name to give. A streamed
 * answer is consumed inside its step, shown to readers as it comes, and handed on from the record.
 */
export function durableModel(ctx: Pick<SequentialCtx, 'step' | 'stream' | 'numbered'>, model: Model): Model {
  return {
    async getResponse(request) {
      const recorded = await ctx.step(ctx.numbered('model'), async ({ signal }) => {
        const response = await model.getResponse(withSignal(request, signal))
        // A record keeps data, not classes: the usage becomes one again below.
        return { ...response, usage: structuredClone(response.usage) }
      })
      return { ...recorded, usage: Object.assign(new Usage(), recorded.usage) }
    },
    async *getStreamedResponse(request) {
      yield* await ctx.stream(ctx.numbered('model'), async ({ signal, out }) => {
        // A model cannot go on in the middle of an answer: what an attempt before a crash has shown is taken back.
        if (out.text !== '') await out.reset()
        const events: StreamEvent[] = []
        for await (const event of model.getStreamedResponse(withSignal(request, signal))) {
          if (event.type === 'output_text_delta') await out.write(event.delta)
          events.push(event)
        }
        return events
      })
    },
  }
}

/** The id of a call that a model wants: what its step, effect and question are named by. */
export function callIdOf(call: object | undefined): string {
  if (call && 'callId' in call && typeof call.callId === 'string') return call.callId
  throw new Error('this call of a tool has no id to be found again by')
}

/** The request as the step's own: what stops the step stops the call. */
function withSignal(request: ModelRequest, signal: AbortSignal): ModelRequest {
  return { ...request, signal }
}
