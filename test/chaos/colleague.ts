import { browserRandom, edgeClient } from '@waystone/browser'
import { memoryLocks, memoryStorage } from '@waystone/core/memory'
import { openSession } from '@waystone/core/session'
import { nodeClock } from '@waystone/node'
import { noNotes, takeNotes, type NoteTaker, type NoteTakerOptions } from './app/notebook.ts'

/** So rarely that the other device writes most of the time, in ms. */
const pauseMs = 700

/** Another device that writes into the same session, and is not killed. */
export async function seatColleague(
  edge: { readonly url: string; readonly token: string },
  id: string,
  options: Omit<NoteTakerOptions, 'name' | 'pauseMs'>,
): Promise<NoteTaker> {
  const me = `colleague-${id}`
  const session = await openSession({
    ...{ id, me, initial: noNotes, clock: nodeClock(), random: browserRandom },
    storage: memoryStorage(),
    locks: memoryLocks(),
    edge: edgeClient({ url: edge.url, token: () => edge.token }, me),
  })
  return takeNotes(session, { ...options, name: me, pauseMs })
}
