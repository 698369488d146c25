import type { JSX } from 'preact'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { ApproveCard } from './approve-card.tsx'
import { DraftView } from './draft-view.tsx'
import { Introduction } from './introduction.tsx'
import { PublishedCard } from './published-card.tsx'
import { RunActions } from './run-actions.tsx'
import { RunHead } from './run-head.tsx'
import { SourceNotes } from './source-notes.tsx'
import { PauseCard, PlaceCard } from './wait-cards.tsx'

/** The middle of the page: the chosen run, or the introduction. */
export function RunPanel(): JSX.Element {
  const run = useStore(page, (state) => state.run)
  const view = useStore(page, (state) => state.view)
  const opening = useStore(page, (state) => state.busy === 'open')
  if (run === undefined) return opening ? <p class="opening">Opening the run</p> : <Introduction />
  if (view === undefined) return <p class="opening">Opening the run</p>
  const ask = view.asks[0]
  return (
    <div key={view.run} class="run" data-test="run" data-run={view.run}>
      <RunHead view={view} />
      <RunActions view={view} />
      <PauseCard view={view} />
      <PlaceCard view={view} />
      <PublishedCard view={view} />
      <SourceNotes view={view} />
      <DraftView view={view} />
      {ask !== undefined && view.status !== 'paused' && <ApproveCard key={ask.ask} ask={ask} />}
    </div>
  )
}
