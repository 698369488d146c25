import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { build } from 'vite'
import { atMost, report } from './_report.ts'

// What a browser downloads: each entry point bundled alone by Vite, minified, compressed by gzip at its best. What is
// imported only when it is needed is told apart.

const here = import.meta.dirname
const packages = join(here, '../../packages')

/** What is measured, as the imports of an application. */
const entries: Readonly<Record<string, string>> = {
  'an agent (@waystone/core: defineAgent, next, done, fail, need)': `export { defineAgent, done, fail, need, next } from '@waystone/core'`,
  'store + engine + sync (IndexedDB, RunLog, RunHost, Syncer)': [
    `export { openIndexedDb } from '${packages}/browser/src/store/open-indexed-db.ts'`,
    `export { RunLog } from '${packages}/core/src/log/run-log.ts'`,
    `export { RunHost } from '${packages}/core/src/runtime/run-host.ts'`,
    `export { Syncer } from '${packages}/core/src/sync/syncer.ts'`,
  ].join('\n'),
  'worker (@waystone/browser: serveAgents)': `export { serveAgents } from '@waystone/browser'`,
  'page (@waystone/browser: openWaystone)': `export { openWaystone } from '@waystone/browser'`,
  'values, drafts, deltas alone': `export { applyDelta, createDraft, decodeValue, diff, encodeValue } from '@waystone/core'`,
  'session alone (@waystone/core/session: openSession)': `export { openSession } from '@waystone/core/session'`,
  'log alone (@waystone/core: RunLog)': `export { RunLog } from '@waystone/core'`,
}
/** The aims of the issues "First light" and "A checkpoint costs what changed", in bytes. */
const aims = [
  ['store + engine + sync', 20 * 1024],
  ['session alone', 8 * 1024],
] as const

const sizes: Size[] = []
for (const [name, contents] of Object.entries(entries)) sizes.push({ name, ...(await sizeOf(contents)) })
report(
  sizes.map(
    ({ name, minified, gzip, later }) =>
      `${String(gzip).padStart(7)} B gzip  ${String(minified).padStart(7)} B minified  ${name}` +
      (later > 0 ? `; ${String(later)} B gzip more when it hosts agents itself` : ''),
  ),
  {
    name: 'size',
    sizes,
    aims: aims.map(([what, most]) =>
      atMost(
        what,
        sizes.find(({ name }) => name.startsWith(what))?.gzip ?? Number.NaN,
        most,
        'bytes of gzip',
      ),
    ),
  },
)

interface Size {
  readonly name: string
  readonly minified: number
  readonly gzip: number
  /** Bytes of gzip that are imported when they are needed. */
  readonly later: number
}

async function sizeOf(contents: string): Promise<Omit<Size, 'name'>> {
  // Named like a file of this folder, so that its imports are found as those of the benches are.
  const entry = join(here, 'size-entry.ts')
  const built = await build({
    configFile: false,
    root: here,
    logLevel: 'silent',
    resolve: { conditions: ['@waystone/source', 'module', 'browser'] },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id === entry ? entry : undefined),
        load: (id) => (id === entry ? contents : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2024',
      modulePreload: false,
      rollupOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (output === undefined || !('output' in output)) throw new Error('Vite has built nothing')
  const chunks = output.output.filter((file) => file.type === 'chunk')
  const first = chunks.find(({ isEntry }) => isEntry)
  const now = chunks.filter((chunk) => chunk === first || first?.imports.includes(chunk.fileName))
  const sum = (some: typeof chunks, of: (code: string) => number): number =>
    some.reduce((all, { code }) => all + of(code), 0)
  const gzipped = (code: string): number => gzipSync(code, { level: 9 }).byteLength
  return {
    minified: sum(now, (code) => Buffer.byteLength(code)),
    gzip: sum(now, gzipped),
    later: sum(
      chunks.filter((chunk) => !now.includes(chunk)),
      gzipped,
    ),
  }
}
