import { parseRunId, type Streams } from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'

const run = parseRunId('run-1')

/** The contract of `Streams`. */
export const streamsCases: readonly Case<Streams>[] = [
  {
    name: 'read() of an unknown stream is empty, remove() of it harmless',
    async run(subject) {
      const streams = await subject()
      expectEqual(await streams.read(run, 's', 0), { at: 0, text: '' }, 'the text')
      expectEqual(await streams.read(run, 's', 5), { at: 5, text: '' }, 'the text from 5 on')
      await streams.remove(run, ['s'])
    },
  },
  {
    name: 'read() gives all text from a position on',
    async run(subject) {
      const streams = await subject()
      await write(streams, 's', 'one ', 'two ', 'three')
      for (let from = 0; from <= 14; from += 1) {
        expectEqual(
          await streams.read(run, 's', from),
          { at: from, text: 'one two three'.slice(from) },
          `from ${String(from)}`,
        )
      }
    },
  },
  {
    name: 'append() counts UTF-16 units and keeps halves of pairs',
    async run(subject) {
      const streams = await subject()
      const text = 'ä語🜚 \u0000 end'
      await write(streams, 's', ...text)
      expectEqual(await streams.read(run, 's', 0), { at: 0, text }, 'the text')
      await write(streams, 'halves', '\ud83d', '\udf1a')
      expectEqual(await streams.read(run, 'halves', 0), { at: 0, text: '\ud83d\udf1a' }, 'the joined pair')
    },
  },
  {
    name: 'append() of text that is there already does not add it twice',
    async run(subject) {
      const streams = await subject()
      await write(streams, 's', 'one ', 'two ')
      await streams.append(run, 's', { at: 4, text: 'two ' })
      expectEqual(await streams.read(run, 's', 0), { at: 0, text: 'one two ' }, 'the text')
    },
  },
  {
    name: 'append() forgets what was at its position and after it',
    async run(subject) {
      const streams = await subject()
      const cuts = [12, 9, 8, 7, 4, 3, 0]
      for (const at of cuts) {
        const stream = `cut-${String(at)}`
        await write(streams, stream, 'one ', 'two ', 'three')
        await streams.append(run, stream, { at, text: '!' })
        const text = `${'one two three'.slice(0, at)}!`
        expectEqual(await streams.read(run, stream, 0), { at: 0, text }, `the text cut at ${String(at)}`)
        await streams.append(run, stream, { at: at + 1, text: ' more' })
        expectEqual(
          await streams.read(run, stream, at),
          { at, text: '! more' },
          `what goes on after ${String(at)}`,
        )
      }
      await write(streams, 'empty', 'text')
      await streams.append(run, 'empty', { at: 0, text: '' })
      expectEqual(await streams.read(run, 'empty', 0), { at: 0, text: '' }, 'the emptied text')
    },
  },
  {
    name: 'append() takes no text after a gap',
    async run(subject) {
      const streams = await subject()
      await write(streams, 's', 'one')
      await streams.append(run, 's', { at: 4, text: 'three' })
      expectEqual(await streams.read(run, 's', 0), { at: 0, text: 'one' }, 'the text')
    },
  },
  {
    name: 'append() keeps long text, in one piece and in 1,001',
    async run(subject) {
      const streams = await subject()
      const long = 'x語'.repeat(100_000)
      await streams.append(run, 'long', { at: 0, text: long })
      await streams.append(run, 'long', { at: long.length, text: 'end' })
      expectEqual(
        (await streams.read(run, 'long', 0)).text === `${long}end`,
        true,
        'the whole long text is there',
      )
      expectEqual(await streams.read(run, 'long', 199_999), { at: 199_999, text: '語end' }, 'its end')
      await streams.append(run, 'long', { at: 70_001, text: '!' })
      expectEqual(
        (await streams.read(run, 'long', 0)).text === `${long.slice(0, 70_001)}!`,
        true,
        'the cut long text',
      )
      const chunks = Array.from({ length: 1_001 }, (_, index) => `${String(index)} `)
      let at = 0
      const appends = chunks.map((text) => {
        at += text.length
        return streams.append(run, 'many', { at: at - text.length, text })
      })
      await Promise.all(appends)
      expectEqual(await streams.read(run, 'many', 0), { at: 0, text: chunks.join('') }, 'the many')
    },
  },
  {
    name: 'remove() forgets the streams that it names and no others',
    async run(subject) {
      const streams = await subject()
      const other = parseRunId('run-10')
      for (const stream of ['1/a', '1/a/b', '1/a#1', '1/b']) await write(streams, stream, stream, '.')
      await streams.append(other, '1/a', { at: 0, text: 'other' })
      await streams.remove(run, ['1/a', '1/b', 'nobody'])
      expectEqual((await streams.read(run, '1/a', 0)).text, '', 'a removed stream')
      expectEqual((await streams.read(run, '1/b', 0)).text, '', 'the other removed stream')
      expectEqual((await streams.read(run, '1/a/b', 0)).text, '1/a/b.', 'a stream below it')
      expectEqual((await streams.read(run, '1/a#1', 0)).text, '1/a#1.', 'a stream beside it')
      expectEqual((await streams.read(other, '1/a', 0)).text, 'other', 'the stream of another run')
      await write(streams, '1/a', 'anew')
      expectEqual((await streams.read(run, '1/a', 0)).text, 'anew', 'the stream begun anew')
    },
  },
]

async function write(streams: Streams, stream: string, ...texts: readonly string[]): Promise<void> {
  let at = 0
  for (const text of texts) {
    await streams.append(run, stream, { at, text })
    at += text.length
  }
}
