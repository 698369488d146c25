import type { AnyAgent } from '../engine/agent.ts'
import { me, run, start } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { testClock } from './memory-world.test-support.ts'
import type { HostPorts } from './run-host.ts'

/** The ports of a host without an edge. */
export function portsOf(storage: ReturnType<typeof memoryStorage>, agent: () => AnyAgent): HostPorts {
  return {
    ...storage,
    me,
    place: 'browser',
    clock: testClock,
    agent,
    confirm: () => Promise.resolve(),
    consumed: () => undefined,
    tell: () => undefined,
  }
}

/** A log whose run has begun. */
export async function started(
  storage = memoryStorage(),
  now = () => Date.now(),
): Promise<{ readonly storage: ReturnType<typeof memoryStorage>; readonly log: RunLog }> {
  const log = await RunLog.open(run, { ...storage, now })
  await log.append(me, () => [start({})])
  return { storage, log }
}
