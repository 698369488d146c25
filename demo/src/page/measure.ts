import type { Measured } from './state.ts'

/** What the clock is told about a run, in the order in which it happens. */
export interface Sign {
  /** Milliseconds; any origin. */
  readonly now: number
  readonly epoch: number
  readonly head: number
  /** Characters of the text that streams. */
  readonly chars: number
  readonly phase: string
}

interface Watched {
  readonly what: Measured['what']
  readonly from: number
  readonly epoch: number
  readonly chars: number
}

/**
 * Measures how long a run stands still when it moves or when its worker is killed: from its last sign of work before to its
 * first one after. A run that waits for a person shows its first sign when its new owner has caught up.
 */
export function downTimeWatch(): {
  begin(what: Measured['what'], now: number): void
  see(sign: Sign): Measured | undefined
} {
  let last: Sign | undefined
  let worked = 0
  let watched: Watched | undefined
  return {
    begin(what, now) {
      // What waits has done nothing for long: then the time is that since the button was pressed.
      const from = last?.phase === 'running' ? Math.max(worked, now - 2_000) : now
      watched = { what, from, epoch: last?.epoch ?? 0, chars: last?.chars ?? 0 }
    },
    see(sign) {
      const grew = last !== undefined && (sign.chars > last.chars || sign.head > last.head)
      const before = watched
      last = sign
      if (before === undefined) {
        if (grew) worked = sign.now
        return undefined
      }
      if (before.what === 'move' && sign.epoch === before.epoch) {
        // Work until the owner changes counts as work.
        if (grew) watched = { ...before, from: Math.max(before.from, sign.now), chars: sign.chars }
        return undefined
      }
      const goesOn = sign.phase === 'running' || sign.phase === 'waiting' || grew
      if (!goesOn || sign.phase === 'catching up' || sign.phase === 'moving') return undefined
      watched = undefined
      worked = sign.now
      return {
        what: before.what,
        ms: Math.max(0, sign.now - before.from),
        ...(before.chars > 0 ? { chars: before.chars } : {}),
      }
    },
  }
}
