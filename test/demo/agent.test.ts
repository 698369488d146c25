import { crashEverywhere, testRun } from '@waystone/testing'
import { describe, expect, it } from 'vitest'
import { askTheDocs, extractWriter, type FetchText, type Publish } from '@waystone/demo/agent'

const guide =
  '# idb\n\n## Opening\n\nOpen a database and upgrade its schema with one call.\n\n```js\nopenDB()\n```'
const input = {
  question: 'How do I open a database?',
  sources: [
    { kind: 'url' as const, url: '/sources/idb.md', title: 'idb' },
    { kind: 'url' as const, url: 'https://gone.example/', title: 'gone' },
    {
      kind: 'file' as const,
      name: 'notes.txt',
      type: 'text/plain',
      text: 'Never forget to close the database again.',
    },
  ],
}

/** Sends the first draft back and approves the second. */
const approve = ({ round }: { round: number }) =>
  round === 1 ? { approved: false, remark: 'no code' } : { approved: true }

describe('askTheDocs', () => {
  it('reads, drafts, revises after a remark, and publishes once', async () => {
    const use = fakeNeeds()
    const run = await testRun(askTheDocs, { input, use, answers: { approve } })
    expect(run.result).toEqual({ title: 'How do I open a database?', number: 1 })
    expect(run.state.notes).toMatchObject([
      { title: 'idb', ok: true },
      { title: 'gone', ok: false, note: 'the server answered 404' },
      { title: 'notes.txt', ok: true },
    ])
    expect(run.streams['1/draft']).toContain('openDB()')
    expect(run.streams['2/draft']).not.toContain('openDB()')
    expect(use.ledger).toEqual([{ key: run.effects[0]?.key, title: 'How do I open a database?' }])
    expect(run.artifacts.map(({ name }) => name)).toEqual(['brief.md'])
  })

  it('refuses an answer that is neither approval nor remark, and asks on', async () => {
    const answers = {
      approve: (_: unknown, { refusals }: { refusals: number }) =>
        refusals < 1 ? 'maybe' : { approved: true },
    }
    const run = await testRun(askTheDocs, { input, use: fakeNeeds(), answers })
    expect(run.entries.filter(({ kind }) => kind === 'refuse')).toHaveLength(1)
    expect(run.asks.map(({ value }) => value)).toEqual([{ approved: true }])
  })

  it('waits for the edge when it is approved in a browser', async () => {
    const use = fakeNeeds()
    const run = testRun(askTheDocs, { input, use, answers: { approve }, place: 'browser' })
    await expect(run).rejects.toThrow('"3/publish" needs "publish" at edge')
    expect(use.ledger).toEqual([])
  })

  it('comes to the same brief and publishes it once, wherever it is killed', async () => {
    const { kills } = await crashEverywhere(askTheDocs, {
      input,
      use: fakeNeeds,
      answers: { approve },
      effects: ({ ledger }) => ledger,
    })
    expect(kills).toContain('in the middle of stream "1/draft"')
    expect(kills.filter((where) => where.includes('once.start "3/publish"'))).toHaveLength(2)
  })
})

/** Needs of a world with one document and a ledger, which does not tell of repetitions by itself. */
function fakeNeeds() {
  const ledger: { key: string; title: string }[] = []
  const fetchText: FetchText = (url) =>
    url === '/sources/idb.md'
      ? Promise.resolve({ text: guide, type: 'text/markdown' })
      : Promise.reject(Object.assign(new Error('the server answered 404'), { retryable: false }))
  const publish: Publish = {
    publish: ({ title }, key) => Promise.resolve({ number: ledger.push({ key, title }) }),
    lookup: (key) => {
      const number = ledger.findIndex((one) => one.key === key) + 1
      return Promise.resolve(number > 0 ? { done: true, value: { number } } : { done: false })
    },
  }
  return { ledger, fetchText, writer: extractWriter(0), publish }
}
