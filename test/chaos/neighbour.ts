import { browserRandom, edgeClient } from '@waystone/browser'
import {
  isWaystoneError,
  parseOwnerId,
  parseRunId,
  Runtime,
  type OwnerId,
  type WatchEvent,
} from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { nodeClock } from '@waystone/node'
import { porterOf } from './app/agents.ts'

/** What the effects of a neighbour say they come from. */
export const neighbourLife = 'the-neighbour'
const drainMs = 50
const refusals = ['move_refused', 'unreachable', 'run_unknown'] as const

/** Another device that takes runs over, works on them and hands them back. It is not killed. */
export interface Neighbour {
  readonly device: OwnerId
  /** Asks whoever has a run for it. False when that is refused, nobody answers, or the edge has not heard of it yet. */
  take(run: string): Promise<boolean>
  /** Where a run stands, as it is seen there, in words. */
  standing(run: string): Promise<string>
  close(): Promise<void>
}

/** Seats a device whose storage is memory: what it has acknowledged the edge has, or it is still there itself. */
export async function seatNeighbour(
  edge: { readonly url: string; readonly token: string },
  id: string,
): Promise<Neighbour> {
  const device = parseOwnerId(`neighbour-${id}`)
  const runtime = await Runtime.open({
    ...memoryStorage(),
    locks: memoryLocks(),
    channel: memoryChannels()(),
    me: device,
    place: 'browser',
    clock: nodeClock(),
    random: browserRandom,
    agents: [porterOf(() => neighbourLife)],
    edge: edgeClient({ url: edge.url, token: () => edge.token }, device),
  })
  return {
    device,
    async take(run) {
      try {
        await runtime.move(parseRunId(run), 'here', { drainMs })
        return true
      } catch (error) {
        if (refusals.some((code) => isWaystoneError(error, code))) return false
        throw error
      }
    },
    async standing(run) {
      const known: WatchEvent[] = []
      runtime.unwatch(await runtime.watch(parseRunId(run), (event) => known.push(event)))
      return JSON.stringify(known)
    },
    close: () => runtime.close(),
  }
}
