import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Network } from '@waystone/testing'
import { startEdge } from '../harness/edge-process.ts'
import { startLossyProxy } from '../harness/lossy-proxy.ts'

/** The addresses of one edge, by what the network there does, and what lets a device in. Can be cloned. */
export interface Ways {
  readonly urls: Readonly<Record<Network, string>>
  readonly token: string
}

/** A worker in workerd that hosts the agents of the cases, behind networks that fail; open to pages of one origin. */
export async function startRemoteWorld(
  origin: string,
): Promise<{ readonly ways: Ways; close(): Promise<void> }> {
  const persistTo = await mkdtemp(join(tmpdir(), 'waystone-conformance-'))
  const config = join(import.meta.dirname, 'edge/wrangler.toml')
  const edge = await startEdge({ persistTo, config, vars: { ORIGINS: origin } })
  const [down, lossy] = [await startLossyProxy(() => edge.url), await startLossyProxy(() => edge.url)]
  down.cut()
  // A preflight only asks: the request that counts comes after it.
  lossy.decide((_, { method }) => (method === 'OPTIONS' ? 'pass' : 'lose answer'))
  return {
    ways: {
      urls: { up: edge.url, down: down.url, 'answers lost': lossy.url },
      token: 'conformance',
    },
    async close() {
      await down.close()
      await lossy.close()
      await edge.stop()
      await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
