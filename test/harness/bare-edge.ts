import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { convertV4MiniflareOptions, Miniflare, type LegacyWorkerOptions } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { wranglerEnv } from './edge-process.ts'

const root = join(import.meta.dirname, '../..')

/** A worker in Miniflare, on 127.0.0.1. */
export interface BareEdge {
  /** Without a slash at its end. */
  readonly url: string
  /** Ends it, and drops its state. */
  close(): Promise<void>
}

/**
 * Starts a worker without what `wrangler dev` puts in front of it, another worker that takes 3 ms a request (2026-11): for what is
 * measured in milliseconds. Its state is on disk.
 */
export async function startBareEdge(
  config: string,
  vars: Readonly<Record<string, string>>,
): Promise<BareEdge> {
  const folder = await mkdtemp(join(tmpdir(), 'waystone-edge-'))
  const wrangler = join(root, 'node_modules/wrangler/bin/wrangler.js')
  const args = [wrangler, 'deploy', '--dry-run', '--config', config, '--outdir', join(folder, 'built')]
  await promisify(execFile)(process.execPath, args, { cwd: root, env: wranglerEnv })
  const script = await readFile(join(folder, 'built/worker.js'), 'utf8')
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config)
  const { compatibilityDate = '', durableObjects = {}, r2Buckets = {} } = workerOptions as LegacyWorkerOptions
  const worker = new Miniflare(
    convertV4MiniflareOptions({
      ...{ compatibilityDate, durableObjects, r2Buckets },
      bindings: vars,
      modules: [{ type: 'ESModule', path: 'worker.js', contents: script }],
      host: '127.0.0.1',
      port: 0,
      durableObjectsPersist: join(folder, 'do'),
      r2Persist: join(folder, 'r2'),
      cf: false,
    }),
  )
  const { origin } = await worker.ready
  return {
    url: origin,
    async close() {
      await worker.dispose()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
