import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildEdge } from './edge-build.ts'
import { hostEdge } from './edge-host.ts'

/** A worker in a Miniflare of this process. */
export interface BareEdge {
  /** Without a slash at its end. */
  readonly url: string
  /** Ends it, and drops its state. */
  close(): Promise<void>
}

/** Starts a worker with its state on disk, for what is measured in milliseconds. */
export async function startBareEdge(
  config: string,
  vars: Readonly<Record<string, string>>,
): Promise<BareEdge> {
  const persistTo = await mkdtemp(join(tmpdir(), 'waystone-edge-'))
  const worker = await hostEdge({ build: await buildEdge(config), persistTo, port: 0, vars })
  const { origin } = await worker.ready
  return {
    url: origin,
    async close() {
      await worker.dispose()
      await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
