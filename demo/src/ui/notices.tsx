import type { JSX } from 'preact'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { CloseIcon } from './icons.tsx'

/** What a person should know whatever they look at: no network, no storage, something that went wrong. */
export function Notices(): JSX.Element {
  const online = useStore(page, (state) => state.online)
  const problem = useStore(page, (state) => state.problem)
  const failed = useStore(page, (state) => state.failed)
  const refused = useStore(page, (state) => state.edge === 'refused')
  const memory = useStore(page, ({ way }) => way?.storage === 'memory')
  return (
    <div class="notices">
      <div role="status">
        {!online && (
          <p class="notice" data-test="offline">
            No network. Runs go on here and are saved; the edge gets them when the network is back.
          </p>
        )}
        {memory && (
          <p class="notice" data-test="memory">
            This browser refused storage, so runs last only as long as this page. A private window does that.
          </p>
        )}
        {refused && (
          <p class="notice" data-test="refused">
            The edge refuses the token of this browser. Open the address that npm start prints.
          </p>
        )}
      </div>
      <div role="alert">
        {failed !== undefined && (
          <p class="notice bad" data-test="failed">
            Waystone could not be opened: {failed}
          </p>
        )}
        {problem !== undefined && (
          <p class="notice bad" data-test="problem">
            {problem}
            <button
              type="button"
              class="icon-button small"
              aria-label="Close this message"
              onClick={() => page.set({ problem: undefined })}
            >
              <CloseIcon />
            </button>
          </p>
        )}
      </div>
    </div>
  )
}
