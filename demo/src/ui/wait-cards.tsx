import type { JSX } from 'preact'
import { cancel, decide, forkFrom, move, restart, retry } from '../page/actions.ts'
import { page, type AskView } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { isInterrupted } from '../page/words.ts'
import { CloudIcon } from './icons.tsx'

/** Shown while a run waits for something that only the edge has. */
export function PlaceCard({ view }: { readonly view: AskView }): JSX.Element {
  const edge = useStore(page, (state) => state.edge)
  const busy = useStore(page, (state) => state.busy === 'move-edge')
  const waits = view.status === 'waiting' && view.live.calls.some((call) => call.waits?.for === 'place')
  if (!waits) return <></>
  return (
    <section class="card place-card" data-test="place-card">
      <h2>Publishing is only at the edge</h2>
      {edge === 'none' ? (
        <p>This browser has no edge. Open the address that npm start prints: the run goes on from here.</p>
      ) : (
        <>
          <p>Move the run there and it publishes by itself, also when you close this page.</p>
          <button
            type="button"
            class="primary"
            data-test="place-move"
            disabled={busy || edge !== 'ready'}
            onClick={() => void move('edge')}
          >
            <CloudIcon />
            {busy ? 'Moving' : 'Move to the edge'}
          </button>
        </>
      )}
    </section>
  )
}

/** Why a run is paused, and a button for everything that can be done. Paused is never the end. */
export function PauseCard({ view }: { readonly view: AskView }): JSX.Element {
  const { pause } = view
  if (view.status !== 'paused' || pause === undefined) return <></>
  const interrupted = isInterrupted(pause)
  const start = startOf(pause.error.details)
  const diverged = pause.reason === 'divergence'
  return (
    <section class="card pause-card" data-test="pause-card" data-reason={pause.reason}>
      <h2>{headingOf(pause)}</h2>
      <p>
        {interrupted
          ? 'What it had is kept. When it goes on, it begins this turn again.'
          : pause.error.message}
      </p>
      {diverged && (
        <p>Nothing that it has published happens again without asking. A fork leaves this run as it is.</p>
      )}
      {pause.actions.includes('decide') && start !== undefined && (
        <>
          <p>
            The request to publish was on its way when the run stopped. Look at the ledger, then say what
            became of it:
          </p>
          <div class="button-row">
            <button
              type="button"
              data-test="decide-done"
              onClick={() => void decide(start, { type: 'done', value: { number: 0 } })}
            >
              It was published
            </button>
            <button
              type="button"
              data-test="decide-again"
              onClick={() => void decide(start, { type: 'again' })}
            >
              Publish again
            </button>
            <button
              type="button"
              data-test="decide-failed"
              onClick={() =>
                void decide(start, { type: 'failed', message: 'a person decided that it was not published' })
              }
            >
              It was not published
            </button>
          </div>
        </>
      )}
      <div class="button-row">
        {pause.actions.includes('restart') && (
          <button type="button" class="primary" data-test="pause-restart" onClick={() => void restart()}>
            Restart the turn
          </button>
        )}
        {pause.actions.includes('fork') && diverged && (
          <button type="button" data-test="pause-fork" onClick={() => void forkFrom()}>
            Fork here
          </button>
        )}
        {pause.actions.includes('retry') && (
          <button
            type="button"
            class={pause.actions.includes('restart') ? '' : 'primary'}
            data-test="retry"
            onClick={() => void retry()}
          >
            {diverged ? 'Try again' : 'Go on'}
          </button>
        )}
        {pause.actions.includes('fork') && !diverged && (
          <button type="button" data-test="pause-fork" onClick={() => void forkFrom(view.head.seq - 1)}>
            Fork from before this
          </button>
        )}
        {pause.actions.includes('cancel') && (
          <button type="button" data-test="pause-cancel" onClick={() => void cancel()}>
            Cancel the run
          </button>
        )}
      </div>
    </section>
  )
}

function headingOf(pause: NonNullable<AskView['pause']>): string {
  if (isInterrupted(pause)) return 'You interrupted this run'
  return pause.reason === 'divergence' ? 'This turn does not fit the code' : 'This run is paused'
}

function startOf(details: unknown): string | undefined {
  return typeof details === 'object' &&
    details !== null &&
    'start' in details &&
    typeof details.start === 'string'
    ? details.start
    : undefined
}
