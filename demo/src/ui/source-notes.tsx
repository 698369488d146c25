import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { AskView } from '../page/state.ts'

/** What became of each source. */
export function SourceNotes({ view }: { readonly view: AskView }): JSX.Element {
  const { notes } = view.state
  const failed = useMemo(() => notes.filter(({ ok }) => !ok), [notes])
  if (notes.length === 0) return <></>
  const passages = notes.reduce((sum, note) => sum + note.passages, 0)
  const read = notes.length - failed.length
  return (
    <details class="notes" data-test="notes" open={failed.length > 0 && read === 0}>
      <summary>
        {read} of {notes.length} sources read, {passages} passages
        {failed.length > 0 && <span class="bad"> · {failed.length} could not be read</span>}
      </summary>
      <ul>
        {notes.map(({ title, url, passages: count, ok, note }, index) => (
          <li key={index} class={ok ? undefined : 'bad'}>
            {url === undefined ? (
              title
            ) : (
              <a href={url} target="_blank" rel="noopener noreferrer">
                {title}
              </a>
            )}
            <span class="note-fact">{ok ? `${String(count)} passages` : 'not read'}</span>
            {note !== undefined && <span class="note-fact">{note}</span>}
          </li>
        ))}
      </ul>
    </details>
  )
}
