import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { page, type AskView, type Measured } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { stagesOf } from '../page/stages.ts'
import { duration, ownerName, statusLine } from '../page/words.ts'
import { CheckIcon, CloudIcon, LaptopIcon, PhoneIcon } from './icons.tsx'
import { SyncNote } from './sync-note.tsx'

/** The top of a run: its question, what it is doing, where it is and how far. */
export function RunHead({ view }: { readonly view: AskView }): JSX.Element {
  const device = useStore(page, ({ way }) => way?.device ?? '')
  const entries = useStore(page, (state) => state.entries)
  const leaving = useStore(
    page,
    ({ busy }) => (busy === 'move-edge' || busy === 'move-here') && view.status !== 'moving',
  )
  const { text, tone } = statusLine(view, entries, device)
  return (
    <div class="run-head">
      <h1 data-test="question">{view.state.question}</h1>
      <p class={`status tone-${tone}`} role="status" data-test="status" data-status={view.status}>
        <span class="status-dot" aria-hidden="true" />
        {leaving ? `${text}, about to move` : text}
      </p>
      <div class="where">
        <OwnerBadge view={view} device={device} />
        <MeasuredNote />
        <SyncNote view={view} />
      </div>
      <ol class="stages" aria-label="How far the run is">
        {stagesOf(view).map(({ name, state }) => (
          <li key={name} class={`stage-${state}`} aria-current={state === 'now' ? 'step' : undefined}>
            <span class="stage-mark" aria-hidden="true">
              {state === 'done' && <CheckIcon />}
            </span>
            {name}
          </li>
        ))}
      </ol>
    </div>
  )
}

function OwnerBadge({ view, device }: { readonly view: AskView; readonly device: string }): JSX.Element {
  const name = ownerName(view, device)
  const look = { 'The edge': 'edge', 'This browser': 'here', 'Another device': 'other' }[name]
  const Icon = { 'The edge': CloudIcon, 'This browser': LaptopIcon, 'Another device': PhoneIcon }[name]
  const first = useRef(view.epoch)
  const more = `Epoch ${String(view.epoch)}: how often the owner changed. Term ${String(view.term)}: how often an owner opened it.`
  return (
    <span
      key={look}
      class={`owner place-${look}${view.epoch === first.current ? '' : ' flips'}`}
      data-test="owner"
      data-place={look}
      data-epoch={view.epoch}
      data-term={view.term}
      title={more}
    >
      <Icon />
      <span>
        <span class="owner-label">Owner </span>
        {name}
      </span>
      <span class="hidden">. {more}</span>
    </span>
  )
}

function MeasuredNote(): JSX.Element {
  const measured = useStore(page, (state) => state.measured)
  return (
    <span
      class="measured"
      data-test="down-time"
      data-ms={measured === undefined ? undefined : Math.round(measured.ms)}
      aria-live="polite"
    >
      {measured === undefined ? '' : measuredWords(measured)}
    </span>
  )
}

function measuredWords({ what, ms, chars }: Measured): string {
  const stood = what === 'move' ? `moved in ${duration(ms)}` : `back after ${duration(ms)}`
  return what === 'kill' && chars !== undefined ? `${stood}, went on at character ${String(chars)}` : stood
}
