import { isWaystoneError } from '@waystone/core'
import type { ToldView } from './app/page.ts'
import { answerOf } from './app/agents.ts'
import type { Stage } from './stage.ts'
import { count, type Tally } from './tally.ts'

/**
 * Sits before the tabs: answers questions, decides about effects whose outcome is unknown, having looked at the outside, and
 * lets go on what paused for another reason.
 */
export function seatPerson({ control, effects }: Stage, tally: Tally): void {
  const done = new Set<string>()
  const act = (life: string, what: string, name: string, ...args: readonly unknown[]): void => {
    // Once a life of the page: what a kill took away is done again from the next one.
    const once = `${life} ${what}`
    if (done.has(once)) return
    done.add(once)
    void insist(() => control.ask(life, name, ...args))
  }
  control.onView((life, view) => {
    const { run, ask, pause, seq } = view
    if (ask) act(life, ask.ask, 'answer', run, ask.ask, answerOf(Number(ask.question)), `answer ${ask.ask}`)
    if (pause === undefined) return
    const unknown = unknownOf(view)
    if (unknown === undefined) {
      if (!done.has(`${run} paused ${String(seq)}`)) count(tally.pauses, pause.code ?? pause.reason)
      done.add(`${run} paused ${String(seq)}`)
      return act(life, `${run} retry ${String(seq)}`, 'retry', run)
    }
    const { start, key } = unknown
    const decision = effects.count(key) > 0 ? { type: 'done', value: key } : { type: 'again' }
    act(life, start, 'decide', run, start, decision)
  })
}

const againMs = 500

/** Does it again while the edge, where the run is, cannot be reached; as a person would. */
async function insist(act: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      return void (await act())
    } catch (error) {
      // Another tab or an earlier life was first, or the page is gone: both are what is tested here.
      if (!isWaystoneError(error, 'unreachable')) return
    }
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
}

function unknownOf({ pause }: ToldView): { readonly start: string; readonly key: string } | undefined {
  if (pause?.code !== 'outcome_unknown') return undefined
  return pause.details as { readonly start: string; readonly key: string }
}
