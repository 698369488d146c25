import type { CaseResult } from '@waystone/testing'
import type { HostPortName } from './hosts.ts'
import { runBrowserHostCase } from './page-hosts.ts'
import { runIndexedDbCase } from './page-subjects.ts'
import type { PortName } from './ports.ts'
import type { Ways } from './remote-world.ts'

/** A case that the page asks this worker to run. */
export type Asked =
  readonly ['storage', PortName | 'durable', string] | readonly ['host', HostPortName, string, Ways]

addEventListener('message', (event: MessageEvent<Asked>) => {
  run(event.data).then(
    (result) => postMessage(result),
    (error: unknown) => postMessage({ name: event.data[2], ok: false, error: String(error) }),
  )
})

function run(asked: Asked): Promise<CaseResult> {
  if (asked[0] === 'storage') return runIndexedDbCase(asked[1], asked[2])
  return runBrowserHostCase(asked[1], asked[2], asked[3])
}
