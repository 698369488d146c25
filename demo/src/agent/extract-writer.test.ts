import { describe, expect, it } from 'vitest'
import { extractWriter } from './extract-writer.ts'
import type { DraftRequest } from './types.ts'

const writer = extractWriter(0)
const request: DraftRequest = {
  question: 'how do I open a database?',
  passages: [
    {
      id: '0.0',
      title: 'idb',
      url: '/sources/idb.md',
      heading: 'API › `openDB`',
      text: 'Opens a database.\n\n```js\nopenDB()\n```',
    },
    { id: '0.1', title: 'idb', url: '/sources/idb.md', heading: 'Upgrades', text: 'Changes the schema.' },
    { id: '1.0', title: 'notes (mine).txt', heading: '', text: 'Remember to close it.' },
  ],
  remark: '',
  previous: undefined,
}

describe('extractWriter()', () => {
  it('writes a title, quotations with links to their sources, and how it was written', async () => {
    const text = await written(request)
    expect(text).toMatch(/^# How do I open a database\?\n/)
    expect(text).toContain('> Opens a database.\n>\n> ```js\n> openDB()\n> ```')
    expect(text).toContain('[idb](/sources/idb.md)')
    expect(text).toContain('*notes (mine).txt* (your file)')
    expect(text).toMatch(/\*Assembled from quotations, without a language model\.\*\n$/)
  })

  it('goes on from any position with the same text', async () => {
    const whole = await written(request)
    for (let at = 0; at <= whole.length; at++) {
      const from = whole.slice(0, at)
      expect(writer.continues(request, from)).toBe(true)
      expect(from + (await written(request, from))).toBe(whole)
    }
  })

  it('does not go on in a text of somebody else', () => {
    expect(writer.continues(request, '# Something else')).toBe(false)
  })

  it('honours a remark: without code, and naming it', async () => {
    const text = await written({ ...request, remark: 'longer\nplease no code' })
    expect(text).toContain('Revised after the remark “please no code”.')
    expect(text).not.toContain('```')
  })

  it('says so when nothing answers', async () => {
    expect(await written({ ...request, passages: [] })).toContain(
      'None of the sources says anything about this',
    )
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    stop.abort(new Error('enough'))
    await expect(written(request, '', stop.signal)).rejects.toThrow('enough')
  })
})

async function written(
  about: DraftRequest,
  from = '',
  signal = new AbortController().signal,
): Promise<string> {
  let text = ''
  for await (const piece of writer.write(about, { signal, from })) text += piece
  return text
}
