import type { Channel } from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'

/** A channel as the hosts of one store have it. */
export interface ChannelSubject {
  /** The channel of one more host. */
  host(): Channel
}

/** The contract of `Channel`. */
export const channelCases: readonly Case<ChannelSubject>[] = [
  {
    name: 'post() reaches every other host in order, and not the one that posts',
    async run(subject) {
      const hosts = await subject()
      const [one, two, three] = [hosts.host(), hosts.host(), hosts.host()]
      const heard = [one, two, three].map(hears)
      one.post('a')
      one.post('b')
      await heard[1]?.until('b')
      await heard[2]?.until('b')
      two.post('end')
      await heard[0]?.until('end')
      await heard[2]?.until('end')
      const expected = [['end'], ['a', 'b'], ['a', 'b', 'end']]
      for (const [index, { messages }] of heard.entries())
        expectEqual(messages, expected[index], `what host ${String(index + 1)} heard`)
      for (const channel of [one, two, three]) channel.close()
    },
  },
  {
    name: 'post() carries what can be cloned, as it was',
    async run(subject) {
      const hosts = await subject()
      const [one, two] = [hosts.host(), hosts.host()]
      const heard = hears(two)
      const message = {
        bytes: new Uint8Array([1, 2, 255]),
        text: 'ä 🜚',
        nothing: undefined,
        list: [null, 1n],
      }
      one.post(message)
      one.post('end')
      await heard.until('end')
      const [got] = heard.messages as [typeof message]
      expectEqual([...got.bytes], [1, 2, 255], 'the bytes')
      expectEqual([got.text, got.nothing, got.list[0]], [message.text, undefined, null], 'the rest')
      expectEqual(got.list[1] === 1n, true, 'whether the large number is there')
      one.close()
      two.close()
    },
  },
  {
    name: 'a listener that was stopped, and a host that was closed, hear nothing; others do',
    async run(subject) {
      const hosts = await subject()
      const [one, two, three] = [hosts.host(), hosts.host(), hosts.host()]
      const [stopped, kept, closed] = [hears(two), hears(two), hears(three)]
      one.post('before')
      await Promise.all([stopped.until('before'), kept.until('before'), closed.until('before')])
      stopped.stop()
      stopped.stop()
      three.close()
      three.close()
      one.post('after')
      await kept.until('after')
      expectEqual(stopped.messages, ['before'], 'what the stopped listener heard')
      expectEqual(closed.messages, ['before'], 'what the closed host heard')
      one.close()
      two.close()
    },
  },
]

/** Listens, and waits for a message that says no more than a word. */
function hears(channel: Channel) {
  const messages: unknown[] = []
  const waiting = new Set<() => void>()
  const stop = channel.listen((message) => {
    messages.push(message)
    for (const look of waiting) look()
  })
  const until = (word: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!messages.includes(word)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  return { messages, stop, until }
}
