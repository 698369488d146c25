import type { OpenAsk } from '@waystone/core'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { answer } from '../page/actions.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { CheckIcon } from './icons.tsx'

/** Asks a person: publish this, or send it back with a remark. Any device that shows the run may answer; the first counts. */
export function ApproveCard({ ask }: { readonly ask: OpenAsk }): JSX.Element {
  const [remark, setRemark] = useState('')
  const [sent, setSent] = useState(false)
  const busy = useStore(page, (state) => state.busy === 'answer')
  const say = async (text?: string): Promise<void> => {
    setSent(true)
    if (!(await answer(ask.ask, text))) setSent(false)
  }
  return (
    <section class="card approve-card" data-test="approve-card" aria-labelledby="approve-title">
      <h2 id="approve-title">Shall this be published?</h2>
      <div class="button-row">
        <button
          type="button"
          class="primary"
          data-test="approve"
          disabled={busy || sent}
          onClick={() => void say()}
        >
          <CheckIcon />
          Approve
        </button>
        <span class="hint">Or say what to change:</span>
      </div>
      <form
        class="remark-row"
        onSubmit={(event) => {
          event.preventDefault()
          if (remark.trim() !== '') void say(remark.trim())
        }}
      >
        <label class="hidden" for="remark">
          What to change
        </label>
        <input
          id="remark"
          data-test="remark"
          type="text"
          maxLength={500}
          placeholder="shorter, without code"
          value={remark}
          onInput={(event) => setRemark(event.currentTarget.value)}
        />
        <button type="submit" data-test="send-back" disabled={busy || sent || remark.trim() === ''}>
          Send back
        </button>
      </form>
    </section>
  )
}
