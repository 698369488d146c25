import type { JSX } from 'preact'
import { declineToken, takeToken } from '../page/offered-token.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { Dialog } from './dialog.tsx'

/** Asks whether to use the token of a link: whoever made the link would get what is here. */
export function TokenDialog(): JSX.Element {
  const hasToken = useStore(page, ({ token }) => token !== undefined)
  return (
    <Dialog title="Use the token of this link?" test="token-dialog" onClose={declineToken}>
      <p>
        The link that you followed has a token of its own
        {hasToken ? ', and this browser uses another one.' : ', and this browser has runs already.'}
      </p>
      <p class="warning">
        With it this browser sends its runs to whoever the token belongs to, also those that nobody else has
        yet. They can read and steer them from then on. Use it only if you know where this link comes from.
      </p>
      <div class="button-row">
        <button type="button" class="primary" data-test="token-decline" onClick={declineToken}>
          Leave all as it is
        </button>
        <button type="button" data-test="token-take" onClick={takeToken}>
          Use the token of the link
        </button>
      </div>
    </Dialog>
  )
}
