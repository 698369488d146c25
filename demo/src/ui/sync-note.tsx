import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { page, type AskView } from '../page/state.ts'
import { useStore } from '../page/store.ts'

/** Entries are on their way to the edge all the time: only what stays away for longer is worth a word. */
const patienceMs = 900

interface Sync {
  readonly look: 'here' | 'edge' | 'away'
  readonly words: string
}

/** How safe a run is: saved in this browser, at the edge as well, or waiting for the network. */
export function SyncNote({ view }: { readonly view: AskView }): JSX.Element {
  const device = useStore(page, ({ way }) => way?.device ?? '')
  const edge = useStore(page, (state) => state.edge)
  const online = useStore(page, (state) => state.online)
  const memory = useStore(page, ({ way }) => way?.storage === 'memory')
  const followed = view.place !== 'edge' && view.owner !== device
  const waiting = followed ? 0 : Math.max(0, view.head.seq - (view.sync.synced?.seq ?? -1))
  const sync = useSettled(syncOf(view, { waiting, edge, online, memory, followed }))
  return (
    <span
      class={`sync sync-${sync.look}`}
      data-test="sync"
      data-sync={sync.look}
      data-waiting={waiting}
      title={`The newest entry is ${String(view.head.seq)}; the edge has ${view.sync.synced ? `up to ${String(view.sync.synced.seq)}` : 'none'}.`}
    >
      {sync.words}
    </span>
  )
}

function syncOf(
  view: AskView,
  around: { waiting: number; edge: string; online: boolean; memory: boolean; followed: boolean },
): Sync {
  const { waiting, edge, online, memory, followed } = around
  if (followed)
    return online ? { look: 'edge', words: 'Followed live' } : { look: 'away', words: 'As last heard' }
  if (memory) return { look: 'away', words: 'Only in memory' }
  if (edge === 'none') return { look: 'here', words: 'Saved here' }
  if (view.place === 'edge' && !online) return { look: 'away', words: 'At the edge, as last heard' }
  if (view.place === 'edge' || waiting === 0)
    return { look: 'edge', words: view.place === 'edge' ? 'At the edge' : 'Saved here and at the edge' }
  if (online && view.sync.online) return { look: 'here', words: 'Saved here, on its way to the edge' }
  const entries = waiting === 1 ? '1 entry waits' : `${String(waiting)} entries wait`
  return { look: 'away', words: `Offline: ${entries}` }
}

/** What was true for a while; good news is shown at once. */
function useSettled(sync: Sync): Sync {
  const [shown, show] = useState(sync)
  useEffect(() => {
    if (sync.look === 'edge' || sync.look === shown.look) return show(sync)
    const timer = setTimeout(() => show(sync), patienceMs)
    return () => clearTimeout(timer)
  }, [sync.look, sync.words])
  return shown
}
