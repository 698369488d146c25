import type { JSX } from 'preact'
import { cancel, interrupt, killWorker, move } from '../page/actions.ts'
import { page, type AskView } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { ownerName } from '../page/words.ts'
import { BoltIcon, CloudIcon, LaptopIcon, PhoneIcon, ReloadIcon } from './icons.tsx'

/** What can be done with a run: move it, try to break it, take it along. */
export function RunActions({ view }: { readonly view: AskView }): JSX.Element {
  const device = useStore(page, ({ way }) => way?.device ?? '')
  const edge = useStore(page, (state) => (state.online ? state.edge : 'away'))
  const busy = useStore(page, (state) => state.busy)
  const owner = ownerName(view, device)
  const here = owner === 'This browser'
  const over = ['done', 'failed', 'cancelled'].includes(view.status)
  const moving = busy === 'move-edge' || busy === 'move-here' || view.status === 'moving'
  return (
    <div class="actions" role="toolbar" aria-label="Actions on this run">
      {over || owner === 'The edge' ? null : (
        <button
          type="button"
          class={here ? 'accent' : ''}
          data-test="move-edge"
          disabled={moving || edge !== 'ready'}
          title={
            edge === 'none'
              ? 'This browser has no edge'
              : 'The edge goes on with this run, even when every browser is closed'
          }
          onClick={() => void move('edge')}
        >
          <CloudIcon />
          {moving && here ? 'Moving' : 'Move to the edge'}
        </button>
      )}
      {over || here ? null : (
        <button
          type="button"
          class="accent"
          data-test="move-here"
          disabled={moving}
          title="This browser goes on with this run"
          onClick={() => void move('here')}
        >
          <LaptopIcon />
          {moving ? 'Moving' : 'Move here'}
        </button>
      )}
      <button
        type="button"
        class="danger"
        data-test="kill-worker"
        disabled={busy === 'kill'}
        title="Ends the worker that runs the agent, at once, as a crash would"
        onClick={() => void killWorker()}
      >
        <BoltIcon />
        Kill the worker
      </button>
      <button type="button" data-test="reload" onClick={() => location.reload()}>
        <ReloadIcon />
        Reload
      </button>
      <button type="button" data-test="open-device" onClick={() => page.set({ dialog: 'device' })}>
        <PhoneIcon />
        Open on another device
      </button>
      {!over && (
        <>
          <button
            type="button"
            class="quiet"
            data-test="interrupt"
            disabled={view.status !== 'running'}
            title="Ends the turn that is open, not the run"
            onClick={() => void interrupt()}
          >
            Interrupt
          </button>
          <button
            type="button"
            class="quiet"
            data-test="cancel"
            title="Ends the run for good"
            onClick={() => void cancel()}
          >
            Cancel
          </button>
        </>
      )}
    </div>
  )
}
