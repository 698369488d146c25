import { isOwnName, type SqlDueTimes } from '../store/sql-due-times.ts'
import { edgeClock } from './edge-clock.ts'

/** One alarm may run for 15 minutes: before that runs let go between steps, and what is due gets another. In ms. */
const alarmMsMax = 10 * 60_000

/**
 * Begins what is due, and what comes due while something still goes on, until nothing does: a run may work for
 * minutes, and an alarm of its own could not fire beside it. Names of the application go one after the other, beside
 * Waystone's. Resolves with the names of the application that were begun. `work` is told when it should be over; once one
 * says that this alarm has done enough, nothing more is begun in it.
 */
export async function workDue(
  times: SqlDueTimes,
  work: (name: string, until: number) => Promise<'enough' | void>,
): Promise<readonly string[]> {
  const begun: string[] = []
  const going = new Map<string, Promise<void>>()
  let until = Date.now() + alarmMsMax
  for (;;) {
    const next = nextOf(times, going)
    if (next !== undefined && next.at <= Date.now() && Date.now() < until) {
      if (!isOwnName(next.name)) begun.push(next.name)
      going.set(
        next.name,
        work(next.name, until)
          .then((said) => void (until = said === 'enough' ? 0 : until))
          .finally(() => going.delete(next.name)),
      )
      continue
    }
    if (going.size === 0) return begun
    const stop = new AbortController()
    const waits = next === undefined || Date.now() >= until ? [] : [next.at - Date.now()]
    await Promise.race([
      ...going.values(),
      times.changed(),
      ...waits.map((ms) => edgeClock.wait(ms, stop.signal)),
    ])
    stop.abort()
  }
}

/** The earliest that may be begun beside what goes on. */
function nextOf(
  times: SqlDueTimes,
  going: ReadonlyMap<string, unknown>,
): { readonly name: string; readonly at: number } | undefined {
  const busy = [...going.keys()].some((name) => !isOwnName(name))
  return times.list().find(({ name }) => !going.has(name) && (isOwnName(name) || !busy))
}
