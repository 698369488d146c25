import { startWorker } from './ask-worker.ts'
import type { Saved, SaveRequest, SaveTimes, ToWorker, Way } from './save-messages.ts'

declare global {
  interface Window {
    save(request: SaveRequest): Promise<SaveTimes>
  }
}

/** In these orders each way follows each other one equally often. */
const orders: readonly (readonly Way[])[] = [
  ['commit', 'plain', 'whole', 'raw'],
  ['plain', 'raw', 'commit', 'whole'],
  ['raw', 'whole', 'plain', 'commit'],
  ['whole', 'commit', 'raw', 'plain'],
]

/**
 * Saves by four ways in turn. Each has a worker of its own, as an application has that saves one way: a worker collects
 * its own garbage, and no other's.
 */
window.save = async ({ bytes, rounds, warmup }) => {
  const ways = {
    commit: await open('commit', bytes),
    plain: await open('plain', bytes),
    raw: await open('raw', bytes),
    whole: await open('whole', bytes),
  }
  const times: Record<Way, number[]> = { commit: [], plain: [], raw: [], whole: [] }
  const stored: Record<Way, number> = { commit: 0, plain: 0, raw: 0, whole: 0 }
  let changeBytes = 0
  // The raw put stores the very bytes that the newest commit has stored.
  let line = (await ways.commit({ type: 'save', round: -1, line: undefined })).line
  for (let round = 0; round < warmup + rounds; round += 1) {
    for (const way of orders[round % orders.length] ?? []) {
      const saved = await ways[way]({ type: 'save', round, line: way === 'raw' ? line : undefined })
      if (round >= warmup) times[way].push(saved.ms)
      stored[way] = saved.stored
      changeBytes = Math.max(changeBytes, saved.changed)
      if (way === 'commit') line = saved.line ?? line
    }
  }
  for (const way of Object.values(ways)) await way({ type: 'close' })
  return { ...times, commitBytes: stored.commit, wholeBytes: stored.whole, changeBytes }
}

async function open(way: Way, bytes: number): Promise<(message: ToWorker) => Promise<Saved>> {
  const worker = startWorker<ToWorker, Saved>('/save-worker.js')
  await worker.ask({ type: 'open', way, bytes })
  return async (message) => {
    const saved = await worker.ask(message)
    if (message.type === 'close') worker.end()
    return saved
  }
}
