import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { SequentialCtx } from '@waystone/core'
import { wrapLanguageModel, type ToolSet } from 'ai'

type Model = Extract<Parameters<typeof wrapLanguageModel>[0]['model'], object>

/**
 * A model of AI SDK whose every call is a recorded step: numbered, since the SDK has no name to give. A streamed answer
 * is consumed inside its step, shown to readers as it comes, and handed on from the record.
 */
export function durableModel(ctx: SequentialCtx, model: LanguageModelV4): Model {
  return wrapLanguageModel({
    model: model as Model,
    middleware: {
      specificationVersion: 'v4',
      wrapGenerate: ({ params }) =>
        ctx.step(ctx.numbered('model'), async ({ signal }) => {
          const { content, finishReason, usage, warnings } = await model.doGenerate({
            ...params,
            abortSignal: signal,
          })
          return { content, finishReason, usage, warnings }
        }),
      wrapStream: async ({ params }) => {
        const parts = await ctx.stream(ctx.numbered('model'), async ({ signal, out }) => {
          // A model cannot go on in the middle of an answer: what an attempt before a crash has shown is taken back.
          if (out.text !== '') await out.reset()
          const { stream } = await model.doStream({ ...params, abortSignal: signal })
          const taken: LanguageModelV4StreamPart[] = []
          for await (const part of stream) {
            if (part.type === 'error') throw part.error
            if (part.type === 'text-delta') await out.write(part.delta)
            taken.push(part)
          }
          return taken
        })
        return { stream: streamOf(parts) }
      },
    },
  })
}

/** Tools whose every call is recorded under its call id: as a step, or as the effect that `effect` makes of it. */
export function durableTools<T extends ToolSet>(
  ctx: SequentialCtx,
  tools: T,
  run: (name: string, call: { readonly id: string; readonly input: unknown }, execute: Execute) => unknown = (
    name,
    { id },
    execute,
  ) => ctx.step(`${name} ${id}`, ({ signal }) => execute(signal)),
): T {
  const wrapped = Object.entries(tools).map(([name, tool]) => {
    const { execute } = tool
    if (execute === undefined) return [name, tool]
    return [
      name,
      {
        ...tool,
        execute: (input: never, options: Parameters<typeof execute>[1]) =>
          run(name, { id: options.toolCallId, input }, (signal) =>
            Promise.resolve(execute(input, { ...options, abortSignal: signal })),
          ),
      },
    ]
  })
  return Object.fromEntries(wrapped) as T
}

/** Runs a tool; the signal is the one of the step that it runs in. */
export type Execute = (signal: AbortSignal) => Promise<unknown>

function streamOf<T>(parts: readonly T[]): ReadableStream<T> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}
