import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'

/** What a scripted model says: text in pieces, and tools that it wants called. */
export interface Reply {
  readonly text?: readonly string[]
  readonly calls?: readonly { readonly id: string; readonly tool: string; readonly input: object }[]
}

/** A language model that answers by a script instead of by thinking; counts how often it was called. */
export function scriptedModel(
  script: (options: LanguageModelV4CallOptions) => Reply,
  called: () => void = () => undefined,
): LanguageModelV4 {
  const parts = (options: LanguageModelV4CallOptions): LanguageModelV4StreamPart[] => {
    called()
    const { text = [], calls = [] } = script(options)
    return [
      { type: 'stream-start', warnings: [] },
      ...(text.length > 0 ? [{ type: 'text-start', id: 't' } as const] : []),
      ...text.map((delta) => ({ type: 'text-delta', id: 't', delta }) as const),
      ...(text.length > 0 ? [{ type: 'text-end', id: 't' } as const] : []),
      ...calls.map(
        ({ id, tool, input }) =>
          ({ type: 'tool-call', toolCallId: id, toolName: tool, input: JSON.stringify(input) }) as const,
      ),
      {
        type: 'finish',
        finishReason: { unified: calls.length > 0 ? 'tool-calls' : 'stop', raw: undefined },
        usage: {
          inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
          outputTokens: { total: 1, text: 1, reasoning: 0 },
        },
      },
    ]
  }
  return {
    specificationVersion: 'v4',
    provider: 'script',
    modelId: 'scripted',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('this model only streams')),
    doStream: async (options) => ({
      stream: new ReadableStream({
        start(controller) {
          for (const part of parts(options)) controller.enqueue(part)
          controller.close()
        },
      }),
    }),
  }
}
