import { browserChannel, browserClock, browserLocks, edgeClient } from '@waystone/browser'
import { parseRunId } from '@waystone/core'
import type { CaseResult, RemoteSubject } from '@waystone/testing'
import { runHostCase, type HostPortName } from './hosts.ts'
import type { Ways } from './remote-world.ts'

let worlds = 0

/** Runs a case against what a browser gives a host, here. */
export function runBrowserHostCase(port: HostPortName, name: string, ways: Ways): Promise<CaseResult> {
  const world = `conformance-${crypto.randomUUID()}-${String(worlds++)}`
  const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  return runHostCase(
    {
      clock: async () => ({ clock: browserClock(), pass }),
      locks: async () => ({ host: () => browserLocks(world) }),
      channel: async () => ({ host: () => browserChannel(world) }),
      remote: async () => remoteAt(ways),
    },
    port,
    name,
  )
}

/** The edge as the client of browsers reaches it. */
export function remoteAt({ urls, token }: Ways): RemoteSubject {
  return {
    edge: (device, network = 'up') => edgeClient({ url: urls[network], token: () => token }, device),
    newRun: () => parseRunId(crypto.randomUUID()),
  }
}
