import { Runtime, type OwnerId } from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { nodeRandom } from '@waystone/node'
import { setImmediate as nextTask } from 'node:timers/promises'

/** A runtime without agents and an edge, which has nothing yet: for what is imported. */
export function blankRuntime(me: OwnerId): Promise<Runtime> {
  const clock = { now: () => Date.now(), task: () => nextTask(), wait: () => nextTask() }
  return Runtime.open({
    ...memoryStorage(),
    ...{ locks: memoryLocks(), channel: memoryChannels()(), agents: [], development: false },
    ...{ me, place: 'browser', clock, random: nodeRandom },
  })
}
