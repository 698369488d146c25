import { describe, expect, it } from 'vitest'
import { cutPassages } from './cut-passages.ts'

describe('cutPassages()', () => {
  it('keeps the headings above a passage, the two innermost', () => {
    const cuts = cutPassages(
      '# Guide\n\n## Opening\n\n### Upgrades\n\nCall the upgrade function to change the schema.',
      '.md',
    )
    expect(cuts).toEqual([
      { heading: 'Opening › Upgrades', text: 'Call the upgrade function to change the schema.' },
    ])
  })

  it('keeps an example with the words before it', () => {
    const [cut] = cutPassages('Opening a database takes one call:\n\n```js\nopen()\n```', '.md')
    expect(cut?.text).toBe('Opening a database takes one call:\n\n```js\nopen()\n```')
  })

  it('drops badges, pictures and links without words', () => {
    expect(cutPassages('[![npm](a.svg)](b)\n\n![logo](c.png)\n\n[docs](d)', '.md')).toEqual([])
  })

  it('turns links into their words, so that no address points into nothing', () => {
    const [cut] = cutPassages('Read [the whole guide](./guide.md) before you start.', '.md')
    expect(cut?.text).toBe('Read the whole guide before you start.')
  })

  it('cuts a long list between its items', () => {
    const items = Array.from({ length: 30 }, (_, i) => `- item ${String(i)} says something of some length`)
    const cuts = cutPassages(items.join('\n'), '.md')
    expect(cuts.length).toBeGreaterThan(1)
    expect(
      cuts
        .map(({ text }) => text)
        .join('\n')
        .split('\n'),
    ).toEqual(items)
  })

  it('reads HTML: headings, paragraphs, lists and code, without scripts and navigation', () => {
    const html =
      '<html><head><title>T</title><style>p{}</style></head><body><nav>Home and other places to go</nav><h1>Guide</h1>' +
      '<p>Call <code>open()</code> with a name &amp; a version.</p><ul><li>The first of two items</li><li>The second of two items</li></ul>' +
      '<pre>open("a < b")</pre><script>alert("not a word of this")</script></body></html>'
    expect(cutPassages(html, 'text/html; charset=utf-8')).toEqual([
      {
        heading: 'Guide',
        text: 'Call `open()` with a name & a version.\n\n- The first of two items\n- The second of two items\n\n```\nopen("a < b")\n```',
      },
    ])
  })

  it('cuts plain text at paragraphs, and long paragraphs at sentences', () => {
    const sentence = 'This is a sentence of a certain length that says little. '
    const cuts = cutPassages(`A first paragraph of text.\n\n${sentence.repeat(30)}`, 'text/plain')
    expect(cuts.length).toBeGreaterThan(2)
    for (const { text } of cuts) expect(text.length).toBeLessThan(700)
    expect(cuts.map(({ text }) => text).join(' ')).toContain('A first paragraph of text.')
  })

  it('finds nothing in nothing', () => {
    expect(cutPassages('', '.md')).toEqual([])
    expect(cutPassages('', 'text/html')).toEqual([])
    expect(cutPassages(' \n ', 'text/plain')).toEqual([])
  })
})
