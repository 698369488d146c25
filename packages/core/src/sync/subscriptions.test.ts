import { describe, expect, it } from 'vitest'
import {
  subscriptionTextOf,
  parseSubscriptionText,
  parseSubscriptionWord,
  parseReadText,
  readTextOf,
  type SubscriptionWord,
} from './subscriptions.ts'

describe('messages of a socket of many runs', () => {
  it('are read as they were written', () => {
    const frame = '{"type":"live"}\nwith a line more'
    expect(parseSubscriptionText(subscriptionTextOf(12, frame))).toEqual({ subscription: 12, text: frame })
    expect(parseSubscriptionWord(frame)).toBeUndefined()
    const words: SubscriptionWord[] = [
      { say: 'follow', run: 'ana.run-1', from: 42 },
      { say: 'leave' },
      { say: 'open' },
      { say: 'closed' },
    ]
    for (const word of words) {
      const { subscription, text } = parseSubscriptionText(subscriptionTextOf(0, word)) ?? {}
      expect(subscription).toBe(0)
      expect(parseSubscriptionWord(text ?? '')).toEqual(word)
    }
    expect(parseReadText(readTextOf(1_234))).toBe(1_234)
  })

  it('that are none are told from them', () => {
    for (const message of [
      '',
      'ping',
      'x {}',
      '1',
      '1 ',
      '-1 {}',
      '1234567890 {}',
      7,
      null,
      new ArrayBuffer(2),
    ])
      expect(parseSubscriptionText(message)).toBeUndefined()
    for (const text of ['follow', 'follow run', 'follow a b', 'follow a -1', 'follow a 1 2', 'leave now', ''])
      expect(parseSubscriptionWord(text)).toBeUndefined()
    for (const message of ['read', 'read x', 'read -1', 'read 1 2', 5])
      expect(parseReadText(message)).toBeUndefined()
  })
})
