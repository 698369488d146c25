import type { RunSummary } from '@waystone/core'
import type { JSX } from 'preact'
import { openRun } from '../page/actions.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { titleOfRun } from '../page/titles.ts'
import { ago, statusWord } from '../page/words.ts'
import { CloudIcon, LaptopIcon } from './icons.tsx'

/** The runs that this browser knows, newest first. */
export function RunList(): JSX.Element {
  const runs = useStore(page, (state) => state.runs)
  if (runs.length === 0) return <></>
  return (
    <nav class="runs" aria-label="Runs">
      <h2>Runs</h2>
      <ul>
        {runs.map((run) => (
          <li key={run.run}>
            <RunItem summary={run} />
          </li>
        ))}
      </ul>
    </nav>
  )
}

function RunItem({ summary }: { readonly summary: RunSummary }): JSX.Element {
  const { run, place } = summary
  const title = useStore(page, ({ titles }) => titles)
  const chosen = useStore(page, (state) => state.run)
  const view = useStore(page, (state) => state.view)
  // The shown run is known better than its line in the list.
  const status = chosen === run && view?.run === run ? view.status : summary.status
  const where = chosen === run && view?.run === run ? view.place : place
  return (
    <button
      type="button"
      class={`run-item status-${status}`}
      data-test="run-item"
      data-run={run}
      aria-current={chosen === run ? 'true' : undefined}
      onClick={() => void openRun(run)}
    >
      <span class="run-title">{titleOfRun(run, title)}</span>
      <span class="run-facts">
        <span class="dot" aria-hidden="true" />
        {statusWord(status)}
        <span
          class={`run-place place-${where === 'edge' ? 'edge' : 'here'}`}
          title={where === 'edge' ? 'At the edge' : 'In a browser'}
        >
          {where === 'edge' ? <CloudIcon /> : <LaptopIcon />}
        </span>
        <span class="run-time">{ago(summary.started, Date.now())}</span>
      </span>
    </button>
  )
}
