import { build } from 'esbuild'
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Files by their path without a leading slash, such as `index.html`. */
export type Files = Readonly<Record<string, string | Uint8Array>>

export interface StaticServer {
  /** Without a slash at its end. */
  readonly url: string
  close(): Promise<void>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/**
 * Serves a folder, or files from memory, on a free port of 127.0.0.1. The pages are isolated from other origins, which gives
 * them the finer clock and the shared memory that benchmarks need.
 */
export async function serveStatic(source: string | Files): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname
    respond(source, decodeURIComponent(path).slice(1), response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no address')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function respond(source: string | Files, path: string, response: ServerResponse): Promise<void> {
  const content = typeof source === 'string' ? await readInside(source, path) : source[path]
  if (content === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
    return
  }
  response.writeHead(200, {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'cross-origin',
  })
  response.end(content)
}

async function readInside(folder: string, path: string): Promise<Uint8Array | undefined> {
  const file = normalize(join(folder, path))
  if (!file.startsWith(normalize(`${folder}/`))) return undefined
  try {
    return await readFile(file)
  } catch {
    return undefined
  }
}

/** How a bundle is made where the default does not fit. */
export interface BundleOptions {
  /** Minified, for sizes. */
  readonly minify?: boolean
  /** Default: for browsers. */
  readonly platform?: 'browser' | 'node'
  /** Imports that stay imports. */
  readonly external?: readonly string[]
}

/**
 * Bundles sources for a browser, each entry point to one ES module named after its file: `page.ts` becomes `page.js`. The
 * packages are taken from their sources. A worker is an entry point of its own, so that a page can name its file.
 */
export async function bundle(
  entryFiles: string | readonly string[],
  options: BundleOptions = {},
): Promise<Record<string, Uint8Array>> {
  const entryPoints = typeof entryFiles === 'string' ? [entryFiles] : [...entryFiles]
  const result = await build({
    entryPoints: entryPoints.map((file) => (file.startsWith('file:') ? fileURLToPath(file) : file)),
    outdir: '/',
    entryNames: '[name]',
    bundle: true,
    write: false,
    format: 'esm',
    platform: options.platform ?? 'browser',
    target: 'es2024',
    conditions: ['@waystone/source'],
    sourcemap: options.minify === true ? false : 'inline',
    minify: options.minify === true,
    external: [...(options.external ?? [])],
    logLevel: 'silent',
  })
  return Object.fromEntries(result.outputFiles.map((file) => [file.path.slice(1), file.contents]))
}
