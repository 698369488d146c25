import type { RunView } from '@waystone/core'
import type { VirtualClock } from './virtual-clock.ts'

/**
 * The next time at which anything can happen in runs where nothing does now; undefined when nothing ever will. `unsure`: no
 * run tells of that time.
 */
export function nextTime(
  views: readonly RunView[],
  clock: VirtualClock,
): { readonly time: number; readonly unsure: boolean } | undefined {
  const going = views.filter((view) => !isOver(view) && view.status !== 'paused')
  const told = going.flatMap(duesOf)
  const dues = told.filter((due) => due > clock.now())
  const onlyWait = going.every((view) => onlyWaits(view, clock.now()))
  // Hosts look at least once a minute whether a time has come: there is nothing to see before it has.
  if (onlyWait && dues.length > 0) return { time: Math.min(...dues), unsure: false }
  if (clock.next === undefined || (onlyWait && told.length === 0)) return undefined
  const isTrying = going.some(({ live }) => live.calls.some(({ waits }) => waits === undefined))
  return { time: Math.min(...dues, clock.next), unsure: !isTrying }
}

function duesOf({ live, due }: RunView): readonly number[] {
  const waits = live.calls.flatMap(({ waits: wait }) =>
    wait && 'due' in wait && wait.due !== undefined ? [wait.due] : [],
  )
  return due === undefined ? waits : [...waits, due]
}

function onlyWaits({ live, due }: RunView, now: number): boolean {
  if (live.calls.length === 0) return due !== undefined && due > now
  return live.calls.every(({ waits }) => waits !== undefined)
}

/** True for a run that has ended. */
export function isOver({ status }: RunView): boolean {
  return ['done', 'failed', 'cancelled'].includes(status)
}
