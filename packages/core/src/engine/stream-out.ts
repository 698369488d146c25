import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import type { StreamDigest } from '../log/bodies.ts'
import type { StreamText } from '../ports/streams.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import type { Attempt } from './attempt.ts'
import type { StreamOut } from './ctx.ts'

/** Opens the side log of a streamed step: with what an earlier attempt has written. */
export async function openStream(
  attempt: Attempt,
  stream: string,
): Promise<StreamOut & { flush(): Promise<void>; digest(): StreamDigest }> {
  let { text } = await attempt.ports.readStream(stream)
  let stored = text.length
  let writing: Promise<void> | undefined
  /** The first half of a surrogate pair whose other half has not come: stores of UTF-8 keep no half. */
  let half = ''

  /** Writes that come while one is under way go out together with the next. */
  const flush = async (): Promise<void> => {
    while (stored < text.length && !attempt.over) {
      writing ??= write({ at: stored, text: text.slice(stored) })
      await writing
    }
  }
  const write = async (chunk: StreamText): Promise<void> => {
    try {
      await attempt.ports.writeStream(stream, chunk)
      stored = chunk.at + chunk.text.length
    } finally {
      writing = undefined
    }
  }
  return {
    get text() {
      return text
    },
    async write(more) {
      if (text.length + more.length > limits.streamCharsMax) {
        throw new WaystoneError(
          'limit_exceeded',
          `stream "${stream}" is longer than ${String(limits.streamCharsMax)} characters`,
          { path: stream },
        )
      }
      const coming = half + more
      half = /[\ud800-\udbff]$/.test(coming) ? coming.slice(-1) : ''
      text += coming.slice(0, coming.length - half.length).toWellFormed()
      await flush()
      // What the body does next may be somebody else's business by now.
      const awake = attempt.ports.awake?.()
      if (awake === undefined) return
      await awake
      if (attempt.over)
        throw new WaystoneError('cancelled', `stream "${stream}" goes on elsewhere`, { path: stream })
    },
    async reset() {
      await flush()
      text = ''
      half = ''
      stored = 0
      await attempt.ports.resetStream(stream)
    },
    flush,
    digest: () => ({ stream, chars: text.length, digest: digestBytes(utf8(text)) as Digest }),
  }
}
