import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Draft } from '../agent/types.ts'
import type { AskView } from '../page/state.ts'
import { Markdown } from './markdown.tsx'

/** The draft: as it streams, as it waits for approval, or as it was published; earlier ones below. */
export function DraftView({ view }: { readonly view: AskView }): JSX.Element {
  const { drafts } = view.state
  const asked = view.asks.map(({ question }) => textOfQuestion(question)).find((text) => text !== undefined)
  const streamed = Object.entries(view.streams).find(([path]) => path.endsWith('/draft'))?.[1]
  const streaming = view.live.calls.some(({ kind }) => kind === 'stream') && asked === undefined
  const last = drafts.at(-1)
  const settled = last?.approved === true ? last.text : undefined
  // After a crash the text is read again from its beginning: what was seen stays until it is there.
  const seen = useRef({ turn: view.turn, text: streamed })
  if (streamed !== undefined || seen.current.turn !== view.turn)
    seen.current = { turn: view.turn, text: streamed }
  const text = withoutTitle(asked ?? streamed ?? settled ?? seen.current.text, view.state.question)
  const earlier = drafts.filter(({ approved }) => !approved)
  return (
    <>
      {text !== undefined && (
        <article
          class="draft"
          data-test="stream"
          data-streaming={streaming ? 'true' : 'false'}
          aria-busy={streaming}
        >
          <Markdown text={text} streaming={streaming} />
          {streaming && text === '' && <span class="hidden">The draft begins.</span>}
        </article>
      )}
      {earlier.length > 0 && <EarlierDrafts drafts={earlier} />}
    </>
  )
}

/** How many earlier drafts are shown at first, and how many more at each asking. */
const draftsAtATime = 10

/** The drafts that were sent back, the newest ones first to be there: nothing of them until somebody opens this. */
function EarlierDrafts({ drafts }: { readonly drafts: readonly Draft[] }): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const [count, setCount] = useState(draftsAtATime)
  const from = Math.max(0, drafts.length - count)
  return (
    <details
      class="earlier"
      data-test="earlier-drafts"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        {drafts.length === 1
          ? 'The draft that was sent back'
          : `${String(drafts.length)} drafts that were sent back`}
      </summary>
      {isOpen && from > 0 && (
        <button class="quiet" type="button" onClick={() => setCount(count + draftsAtATime)}>
          Show earlier drafts
        </button>
      )}
      {isOpen &&
        drafts
          .slice(from)
          .map((draft, index) => <EarlierDraft key={from + index} draft={draft} round={from + index + 1} />)}
    </details>
  )
}

function EarlierDraft({ draft, round }: { readonly draft: Draft; readonly round: number }): JSX.Element {
  return (
    <section class="earlier-draft" aria-label={`Draft ${String(round)}`}>
      <p class="remark-said">
        Draft {round}, sent back: “{draft.remark}”
      </p>
      <Markdown text={draft.text} />
    </section>
  )
}

/** The question stands above already: a draft that begins with it need not repeat it. */
function withoutTitle(text: string | undefined, question: string): string | undefined {
  const title = /^# (.*)(\n+|$)/.exec(text ?? '')
  if (
    text === undefined ||
    title === null ||
    !question.toLowerCase().startsWith((title[1] ?? '').toLowerCase())
  )
    return text
  return text.slice(title[0].length)
}

function textOfQuestion(question: unknown): string | undefined {
  return typeof question === 'object' &&
    question !== null &&
    'text' in question &&
    typeof question.text === 'string'
    ? question.text
    : undefined
}
