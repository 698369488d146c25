import { describe, expect, it } from 'vitest'
import { listSources, sourcesMax } from './list-sources.ts'
import type { Source } from './types.ts'

const page = (url: string, title = ''): Source => ({ kind: 'url', url, title })

describe('listSources()', () => {
  it('reads no source twice', () => {
    const file: Source = { kind: 'file', name: 'a.md', type: '', text: 'A' }
    expect(
      listSources([page('https://a.example/'), page('https://a.example/', 'again'), file, file]),
    ).toHaveLength(2)
  })

  it('gives each source a key of its own, also when their titles are the same', () => {
    const listed = listSources([page('https://a.example/', 'Guide'), page('https://b.example/', 'Guide')])
    expect(listed.map(({ key }) => key)).toEqual(['1 Guide', '2 Guide'])
  })

  it('calls a page without a title by its address', () => {
    expect(listSources([page('https://a.example/guide')])[0]?.title).toBe('a.example/guide')
  })

  it('stops at the limit, and throws when there is nothing', () => {
    const many = Array.from({ length: sourcesMax + 5 }, (_, i) => page(`https://a.example/${String(i)}`))
    expect(listSources(many)).toHaveLength(sourcesMax)
    expect(() => listSources([])).toThrow('nothing to read')
  })
})
