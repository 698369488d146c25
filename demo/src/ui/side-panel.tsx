import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { SetAsideList } from './set-aside-list.tsx'
import { StateTree } from './state-tree.tsx'
import { Timeline } from './timeline.tsx'

/** The right of the page: the log of the run as it grows, and its state. */
export function SidePanel(): JSX.Element {
  const view = useStore(page, (state) => state.view)
  const [tab, setTab] = useState<'timeline' | 'state'>('timeline')
  if (view === undefined)
    return (
      <p class="side-empty">The timeline of a run appears here, one line for everything that was saved.</p>
    )
  const choose = (name: typeof tab) => ({
    type: 'button' as const,
    role: 'tab' as const,
    id: `tab-${name}`,
    'data-test': `tab-${name}`,
    'aria-selected': tab === name,
    'aria-controls': 'side-panel',
    tabIndex: tab === name ? 0 : -1,
    onClick: () => setTab(name),
  })
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    const other = tab === 'timeline' ? 'state' : 'timeline'
    setTab(other)
    document.querySelector<HTMLElement>(`#tab-${other}`)?.focus()
  }
  return (
    <>
      <div class="tabs" role="tablist" aria-label="Inside the run" onKeyDown={onKey}>
        <button {...choose('timeline')}>Timeline</button>
        <button {...choose('state')}>State</button>
      </div>
      <div id="side-panel" role="tabpanel" aria-labelledby={`tab-${tab}`} class="side-body">
        <SetAsideList />
        {tab === 'timeline' ? <Timeline key={view.run} view={view} /> : <StateTree view={view} />}
      </div>
    </>
  )
}
