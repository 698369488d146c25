import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Source } from '../agent/types.ts'
import { ask } from '../page/actions.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { SourcePicker } from './source-picker.tsx'

const examples = [
  'How do I open an IndexedDB database and upgrade its schema?',
  'Should I hash passwords with scrypt or argon2?',
  'How do I call a function in a worker with Comlink?',
  'How does MiniSearch do fuzzy search and boosting?',
]
const questionCharsMax = 500

/** Where a question goes in. */
export function AskForm(): JSX.Element {
  const [question, setQuestion] = useState('')
  /** The same at once: a key may come before the page is drawn again. */
  const typed = useRef('')
  const [added, setAdded] = useState<readonly Source[]>([])
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const defaults = useStore(page, ({ sources }) => sources)
  const ready = useStore(page, ({ way }) => way !== undefined)
  const starting = useStore(page, ({ busy }) => busy === 'start')
  /** A question asked before the page was ready: it is asked when it is. */
  const [wanted, setWanted] = useState<string>()
  const anyRuns = useStore(page, ({ runs }) => runs.length > 0)

  const chosen: readonly Source[] = [
    ...defaults
      .filter(({ url }) => !left.has(url))
      .map(({ url, title }) => ({ kind: 'url' as const, url, title })),
    ...added,
  ]
  const canStart = ready && chosen.length > 0
  const busy = starting || wanted !== undefined
  const type = (text: string): void => {
    typed.current = text
    setQuestion(text)
  }
  const start = async (text: string): Promise<void> => {
    if (text.trim() === '') return
    if (!canStart) return setWanted(text)
    setWanted(undefined)
    if (await ask(text.trim(), chosen)) type('')
  }
  useEffect(() => {
    if (wanted !== undefined && canStart) void start(wanted)
  }, [wanted, canStart])
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    if (!event.repeat) void start(typed.current)
  }

  return (
    <form
      class="ask"
      onSubmit={(event) => {
        event.preventDefault()
        void start(typed.current)
      }}
    >
      <label class="ask-label" for="question">
        Ask the docs
      </label>
      <textarea
        id="question"
        data-test="ask-input"
        rows={3}
        maxLength={questionCharsMax}
        placeholder="What do you want to know?"
        value={question}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={onKey}
      />
      <SourcePicker defaults={defaults} added={added} left={left} onAdded={setAdded} onLeft={setLeft} />
      <button
        type="submit"
        class="primary wide"
        data-test="ask-start"
        disabled={busy || question.trim() === ''}
      >
        {busy ? 'Starting' : 'Ask'}
      </button>
      <details class="examples" open={!anyRuns}>
        <summary>Or try one of these</summary>
        <ul>
          {examples.map((example) => (
            <li key={example}>
              <button
                type="button"
                class="example"
                data-test="example"
                disabled={busy}
                onClick={() => void start(example)}
              >
                {example}
              </button>
            </li>
          ))}
        </ul>
      </details>
    </form>
  )
}
