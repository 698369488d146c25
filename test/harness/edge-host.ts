import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { EdgeBuild } from './edge-build.ts'

/** What a process of an edge is told as it starts, in JSON. */
export interface HostedEdge {
  /** The file of its `EdgeBuild`. */
  readonly build: string
  /** The folder of the stored state, as `wrangler dev` arranges it. */
  readonly persistTo: string
  /** 0: a free one. */
  readonly port: number
  readonly vars: Readonly<Record<string, string>>
}

/** Starts a worker in Miniflare, on 127.0.0.1, with nothing in front of it. */
export async function hostEdge({ build, persistTo, port, vars }: HostedEdge): Promise<Miniflare> {
  const { script, options } = JSON.parse(await readFile(build, 'utf8')) as EdgeBuild
  const edge = new Miniflare(
    convertV4MiniflareOptions({
      ...options,
      bindings: { ...options.bindings, ...vars },
      modules: [{ type: 'ESModule', path: 'worker.js', contents: script }],
      host: '127.0.0.1',
      port,
      resourcePersistencePath: join(persistTo, 'v3'),
      cf: false,
    }),
  )
  await edge.ready
  return edge
}

if (import.meta.main) {
  const edge = await hostEdge(JSON.parse(process.argv[2] ?? '') as HostedEdge)
  process.once('SIGTERM', () => {
    void edge.dispose().finally(() => process.exit(0))
  })
}
