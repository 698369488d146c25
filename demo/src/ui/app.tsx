import type { JSX } from 'preact'
import { closeRun } from '../page/actions.ts'
import { page, type PageState } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { AskForm } from './ask-form.tsx'
import { DeviceDialog } from './device-dialog.tsx'
import { Header } from './header.tsx'
import { Notices } from './notices.tsx'
import { RunList } from './run-list.tsx'
import { RunPanel } from './run-panel.tsx'
import { SettingsDialog } from './settings-dialog.tsx'
import { SidePanel } from './side-panel.tsx'
import { TokenDialog } from './token-dialog.tsx'

/** The whole page: three columns, or one at a time on a phone. */
export function App(): JSX.Element {
  const pane = useStore(page, (state) => state.pane)
  const dialog = useStore(page, (state) => state.dialog)
  const chosen = useStore(page, (state) => state.run !== undefined)
  return (
    <>
      <a class="skip" href="#main-run">
        Go to the run
      </a>
      <Header />
      <Notices />
      <div class={`columns pane-${pane}${chosen ? '' : ' no-run'}`}>
        <aside class="column left" aria-label="Ask">
          {chosen && (
            <button type="button" class="quiet new-question" data-test="new-question" onClick={closeRun}>
              What is this?
            </button>
          )}
          {!chosen && <IntroductionOnPhone />}
          <AskForm />
          <RunList />
        </aside>
        <main class="column middle" id="main-run" tabIndex={-1}>
          <RunPanel />
        </main>
        <aside class="column right" aria-label="Inside the run">
          <SidePanel />
        </aside>
      </div>
      <nav class="panes" aria-label="Parts of the page">
        {panes.map(([name, label]) => (
          <button
            key={name}
            type="button"
            data-test={`pane-${name}`}
            aria-current={pane === name ? 'true' : undefined}
            disabled={name !== 'ask' && !chosen}
            onClick={() => page.set({ pane: name })}
          >
            {label}
          </button>
        ))}
      </nav>
      {dialog === 'device' && <DeviceDialog />}
      {dialog === 'settings' && <SettingsDialog />}
      {dialog === 'token' && <TokenDialog />}
    </>
  )
}

const panes: readonly (readonly [PageState['pane'], string])[] = [
  ['ask', 'Ask'],
  ['run', 'Run'],
  ['log', 'Timeline'],
]

/** Where there is no room for the middle column, the introduction stands above the form. */
function IntroductionOnPhone(): JSX.Element {
  return (
    <p class="introduction-short">
      An agent reads documents and drafts an answer for you to approve. Every step is saved: kill it, reload,
      go offline or move it to the edge, and it goes on where it was.
    </p>
  )
}
