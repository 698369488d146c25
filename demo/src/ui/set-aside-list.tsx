import type { JSX } from 'preact'
import { dropAside, keepAside } from '../page/actions.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { byteSize } from '../page/words.ts'

/** Entries that the edge refused because the run had gone on without them. Nothing is thrown away unasked. */
export function SetAsideList(): JSX.Element {
  const setAside = useStore(page, (state) => state.setAside)
  const busy = useStore(page, (state) => state.busy !== undefined)
  if (setAside.length === 0) return <></>
  return (
    <section class="set-aside" data-test="set-aside">
      <h3>Set aside</h3>
      <ul>
        {setAside.map(({ name, reason, time, lines }) => (
          <li key={name}>
            {lines.length === 1 ? '1 entry' : `${String(lines.length)} entries`},{' '}
            {byteSize(lines.reduce((sum, line) => sum + line.byteLength, 0))},{' '}
            {new Date(time).toLocaleTimeString()}: {reason}
            <span class="set-aside-actions">
              <button type="button" class="quiet" disabled={busy} onClick={() => void keepAside(name)}>
                Keep as a run
              </button>
              <button type="button" class="quiet" disabled={busy} onClick={() => void dropAside(name)}>
                Drop
              </button>
            </span>
          </li>
        ))}
      </ul>
      <p class="hint">They are kept as they were. The run went on elsewhere before they arrived.</p>
    </section>
  )
}
