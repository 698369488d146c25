import { describe, expect, it } from 'vitest'
import {
  isMark,
  parseSubscriptionText,
  parseSubscriptionWord,
  subscriptionTextOf,
  type SubscriptionWord,
} from './subscriptions.ts'

describe('messages of a socket of many runs', () => {
  it('are read as they were written', () => {
    const frame = '{"type":"live"}\nwith a line more'
    expect(parseSubscriptionText(subscriptionTextOf(12, frame))).toEqual({ subscription: 12, text: frame })
    expect(parseSubscriptionWord(frame)).toBeUndefined()
    const words: SubscriptionWord[] = [
      { say: 'follow', run: 'ana.run-1', from: 42 },
      { say: 'follow', run: 'ana.run-1', from: 0, token: 'a-token.in_parts' },
      { say: 'leave' },
      { say: 'open' },
      { say: 'closed' },
    ]
    for (const word of words) {
      const { subscription, text } = parseSubscriptionText(subscriptionTextOf(0, word)) ?? {}
      expect(subscription).toBe(0)
      expect(parseSubscriptionWord(text ?? '')).toEqual(word)
    }
  })

  it('that are none are told from them', () => {
    const none = [
      '',
      'ping',
      'x {}',
      '1',
      '1 ',
      '-1 {}',
      '1234567890 {}',
      'mark 1',
      7,
      null,
      new ArrayBuffer(2),
    ]
    for (const message of none) expect(parseSubscriptionText(message)).toBeUndefined()
    for (const text of [
      'follow',
      'follow run',
      'follow a b',
      'follow a -1',
      'follow a 1 2 3',
      'leave now',
      '',
    ])
      expect(parseSubscriptionWord(text)).toBeUndefined()
    for (const message of ['mark', 'ping', '1 mark 2', 5]) expect(isMark(message)).toBe(false)
    expect(isMark('mark 1')).toBe(true)
  })
})
