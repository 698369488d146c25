import { browserRandom, edgeClient } from '@waystone/browser'
import { parseOwnerId, RunHandle, Runtime, type AnyAgent, type RunId } from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { nodeClock } from '@waystone/node'

/** A device in this process, with the real client of the edge and storage that outlives its runtimes. */
export interface NodeDevice {
  /** Opens it, as a browser that is started again. */
  open(): Promise<Runtime>
  /** A handle of one of its runs. */
  run<Result = unknown>(runtime: Runtime, run: string): Promise<RunHandle<unknown, Result>>
}

/** Makes a device. `url` is where it finds the edge. */
export function nodeDevice(
  name: string,
  agents: readonly AnyAgent[],
  edge: { readonly url: string; readonly token: string },
): NodeDevice {
  const me = parseOwnerId(name)
  const storage = { ...memoryStorage(), locks: memoryLocks() }
  const channels = memoryChannels()
  return {
    open: () =>
      Runtime.open({
        ...storage,
        store: { ...storage.store, close: () => Promise.resolve() },
        me,
        place: 'browser',
        clock: nodeClock(),
        random: browserRandom,
        channel: channels(),
        agents,
        edge: edgeClient({ url: edge.url, token: () => edge.token }, me),
      }),
    run: (runtime, run) => RunHandle.open(run as RunId, runtime, browserRandom),
  }
}
