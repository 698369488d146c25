import { describe, expect, it } from 'vitest'
import { rankPassages } from './rank-passages.ts'
import type { Passage } from './types.ts'

const passages: readonly Passage[] = [
  {
    id: '0.0',
    title: 'idb',
    heading: 'Opening',
    text: 'Open a database and upgrade its schema with the upgrade callback.',
  },
  { id: '0.1', title: 'idb', heading: 'Stores', text: 'An object store keeps records by their key.' },
  { id: '1.0', title: 'hashes', heading: 'Passwords', text: 'Passwords are hashed with scrypt or argon2.' },
  { id: '1.1', title: 'hashes', heading: 'Usage', text: '```js\nopen(database)\n```' },
]

describe('rankPassages()', () => {
  it('puts the passage with most of the words first', () => {
    const [best] = rankPassages(passages, {
      question: 'How do I open a database and upgrade its schema?',
      remark: '',
    })
    expect(best?.id).toBe('0.0')
  })

  it('gives the words of a remark more weight than those of the question', () => {
    const [best] = rankPassages(passages, {
      question: 'How do I open a database?',
      remark: 'say something about passwords',
    })
    expect(best?.id).toBe('1.0')
  })

  it('finds words in other forms', () => {
    expect(rankPassages(passages, { question: 'hashing a password', remark: '' })[0]?.id).toBe('1.0')
  })

  it('finds nothing when no word fits', () => {
    expect(rankPassages(passages, { question: 'zebra', remark: '' })).toEqual([])
    expect(rankPassages([], { question: 'database', remark: '' })).toEqual([])
  })

  it('is the same every time', () => {
    const about = { question: 'database schema key', remark: 'more' }
    expect(rankPassages(passages, about)).toEqual(rankPassages(passages, about))
  })

  it('takes fewer when a remark asks for less', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({
      id: String(i),
      title: `t${String(i)}`,
      heading: '',
      text: 'all about the database',
    }))
    const count = (remark: string): number => rankPassages(many, { question: 'database', remark }).length
    expect([count(''), count('shorter'), count('longer')]).toEqual([4, 2, 6])
  })
})
