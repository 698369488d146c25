import type { DraftRequest, Writer } from './types.ts'

/** Where a language model is: any endpoint that speaks the OpenAI protocol, a local one too. */
export interface ModelSettings {
  /** Such as `https://api.openai.com/v1` or `http://localhost:11434/v1`. */
  readonly url: string
  readonly model: string
  /** Empty when the endpoint asks for none. */
  readonly key: string
}

const instructions = `You write short briefs for software developers. Use nothing but the numbered passages.
Write Markdown: a first line "# title", then three to six short paragraphs. Each paragraph says one thing in your own words and
backs it with a short quotation ("> ...") copied exactly from a passage, and a Markdown link to the passage's address.
When the passages do not answer the question, say so. Never invent an address.`

/** A writer that asks a model. It cannot go on in a text that it has not begun, so it begins again after a crash. */
export function modelWriter(settings: ModelSettings): Writer {
  return {
    name: settings.model,
    continues: (_, text) => text === '',
    async *write(request, { signal }) {
      // Loaded when it is needed, so that the page stays small for those who use no model.
      const [{ streamText }, { createOpenAICompatible }] = await Promise.all([
        import('ai'),
        import('@ai-sdk/openai-compatible'),
      ])
      const provider = createOpenAICompatible({
        name: 'model',
        baseURL: settings.url.replace(/\/+$/, ''),
        ...(settings.key === '' ? {} : { apiKey: settings.key }),
      })
      let failed: unknown
      const { textStream } = streamText({
        model: provider.chatModel(settings.model),
        instructions,
        prompt: promptOf(request),
        abortSignal: signal,
        // The run tries again by itself, and shows that it does.
        maxRetries: 0,
        onError: ({ error }) => {
          failed = error
        },
      })
      let empty = true
      for await (const text of textStream) {
        empty = false
        yield text
      }
      signal.throwIfAborted()
      if (failed !== undefined) throw failed instanceof Error ? failed : new Error(String(failed))
      if (empty) throw new Error(`${settings.model} answered with nothing`)
    },
  }
}

function promptOf({ question, passages, remark, previous }: DraftRequest): string {
  const numbered = passages.map(({ title, url, heading, text }, index) => {
    const where = [title, heading].filter((part) => part !== '').join(', ')
    return `[${String(index + 1)}] ${where}\nAddress: ${url ?? 'none: a file, name it by its title'}\n${text}`
  })
  const parts = [`Question: ${question}`, `Passages:\n\n${numbered.join('\n\n')}`]
  if (previous !== undefined) parts.push(`Your last draft:\n\n${previous}`)
  if (remark !== '') parts.push(`Remarks of the reader, the newest last. Follow them:\n${remark}`)
  return parts.join('\n\n')
}
