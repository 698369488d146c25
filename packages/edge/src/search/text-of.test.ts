import { encodeValue, parseLine, utf8, type Entry } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { storedText, textCharsMax, textOf } from './text-of.ts'

const step = (value: unknown): string =>
  textOf({
    kind: 'step',
    body: { path: '0/name', attempts: 1, ms: 1, outcome: { value: encodeValue(value) } },
  } as unknown as Entry)

describe('textOf()', () => {
  it('gives the texts of a value in their order, without names, numbers and bytes', () => {
    const value = {
      title: 'one',
      count: 2,
      when: new Date(0),
      bytes: new Uint8Array(300),
      map: new Map([['key', 'two']]),
      link: new URL('https://example.com/three'),
      error: new Error('four'),
      nested: [['five'], { text: 'six' }],
      digest: 'f'.repeat(64),
      base64: 'QUJD'.repeat(60),
    }
    const text = step(value)
    for (const word of ['one', 'two', 'https://example.com/three', 'four', 'five', 'six'])
      expect(text).toContain(word)
    for (const other of ['title', '1970', 'AAAA', 'ffff', 'QUJD']) expect(text).not.toContain(other)
  })

  it('gives no more than so much, from whatever depth, and nothing that is no text', () => {
    expect(step(['word '.repeat(40_000)]).length).toBe(textCharsMax)
    expect(step(Array.from({ length: 5_000 }, () => 'many words')).length).toBeLessThanOrEqual(
      textCharsMax + 20,
    )
    let deep: unknown = 'deep'
    for (let level = 0; level < 20_000; level += 1) deep = [deep]
    const body = { path: '0/a', attempts: 1, ms: 1, outcome: { value: deep } }
    expect(textOf({ kind: 'step', body } as unknown as Entry)).toBe('deep')
    expect(step('a\u0000b\u0002c\ud800d\n')).toBe('a b c\ufffdd\n')
  })
})

describe('storedText()', () => {
  const line = (more: object): ReturnType<typeof parseLine> => {
    const head = { format: 1, run: 'r', seq: 0, prev: null, epoch: 0, term: 1, owner: 'o', time: 1 }
    return parseLine(utf8(JSON.stringify({ ...head, ...more })))
  }
  const itself = (stored: readonly unknown[]): Promise<readonly Entry[]> =>
    Promise.resolve(stored as readonly Entry[])

  it('gives nothing of what cannot be read here', async () => {
    const label = { kind: 'label', body: { path: '0/a', label: 'readable' } }
    expect(await storedText(line(label), itself)).toBe('readable')
    expect(await storedText(line({ ...label, key: 'k', enc: 'AA==' }), itself)).toBe('')
    expect(await storedText(line({ kind: 'label', body: 'no body of a label' }), itself)).toBe('')
    expect(await storedText(line({ kind: 'step', body: {} }), itself)).toBe('')
    expect(await storedText(line({ kind: 'of a later version', body: { text: 'new' } }), itself)).toBe('')
  })
})
