import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startWranglerDev } from './edge-process.ts'

const demo = join(import.meta.dirname, '../../demo')

/** The demo, page and edge together, as `npm start` serves it. */
export interface DemoEdge {
  /** Without a slash at its end. */
  readonly url: string
  /** Ends it, and drops its state. */
  close(): Promise<void>
}

/** Builds the page of the demo and starts its edge; returns when it answers. */
export async function startDemo(vars: Readonly<Record<string, string>>): Promise<DemoEdge> {
  const vite = join(demo, '../node_modules/vite/bin/vite.js')
  // A test runner sets NODE_ENV to `test`, which would build another page than people get.
  const env = { ...process.env, NODE_ENV: 'production' }
  await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'error'], { cwd: demo, env })
  const persistTo = await mkdtemp(join(tmpdir(), 'waystone-demo-'))
  const edge = await startWranglerDev({ persistTo, vars })
  return {
    url: edge.url,
    async close() {
      await edge.stop()
      await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
