import { composeBrief } from './compose-brief.ts'
import type { Writer } from './types.ts'

/** About as fast as people read along. */
const wordMsDefault = 25

/**
 * A writer that needs no model: it quotes the passages. Its text follows from the request alone, so after a crash it goes
 * on in the middle of a sentence. A word takes `wordMs`, so that people can watch; with 0 it comes line by line, as
 * fast as it goes.
 */
export function extractWriter(wordMs = wordMsDefault): Writer {
  return {
    name: 'quotations',
    continues: (request, text) => composeBrief(request).startsWith(text),
    async *write(request, { signal, from }) {
      const rest = composeBrief(request).slice(from.length)
      const pieces = rest.match(wordMs > 0 ? /\s*\S+\s*|\s+/g : /.*\n+|.+$/g) ?? []
      for (const piece of pieces) {
        if (wordMs > 0) await sleep(wordMs)
        signal.throwIfAborted()
        yield piece
      }
    },
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
