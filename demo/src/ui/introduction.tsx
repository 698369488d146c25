import type { JSX } from 'preact'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'

/** What a person sees who has no run yet: at most three sentences. */
export function Introduction(): JSX.Element {
  const noEdge = useStore(page, (state) => state.edge === 'none')
  return (
    <div class="introduction" data-test="introduction">
      <h1>Ask something, then try to break it.</h1>
      <p>
        An agent in this page reads documents, drafts an answer and publishes it once you approve. Every step
        is saved as it happens. So kill its worker, reload, pull the network or move it to the edge: it goes
        on in the middle of the sentence.
      </p>
      {noEdge && (
        <p class="warning">
          This browser knows no edge, so runs stay in it and cannot publish. Open the address with a token
          that <code>npm start</code> prints.
        </p>
      )}
    </div>
  )
}
