import { build } from 'esbuild'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { atMost, report } from './_report.ts'

// What a browser downloads: each entry point bundled alone, minified by esbuild, compressed by gzip at its best.

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
  'page with a worker or without (@waystone/browser: openWaystone)': `export { openWaystone } from '@waystone/browser'`,
  'values, drafts, deltas alone': `export { applyDelta, createDraft, decodeValue, diff, encodeValue } from '@waystone/core'`,
  'session alone (@waystone/core/session: openSession)': `export { openSession } from '@waystone/core/session'`,
  'log alone (@waystone/core: RunLog)': `export { RunLog } from '@waystone/core'`,
}
/** The aim of issue "First light", in bytes. */
const storeEngineSyncMax = 20 * 1024

const sizes: { readonly name: string; readonly minified: number; readonly gzip: number }[] = []
for (const [name, contents] of Object.entries(entries)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: here, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    conditions: ['@waystone/source'],
    logLevel: 'silent',
  })
  const bytes = outputFiles[0]?.contents ?? new Uint8Array()
  sizes.push({ name, minified: bytes.byteLength, gzip: gzipSync(bytes, { level: 9 }).byteLength })
}
const measured = sizes.find(({ name }) => name.startsWith('store + engine + sync'))?.gzip ?? Number.NaN
report(
  sizes.map(
    ({ name, minified, gzip }) =>
      `${String(gzip).padStart(7)} B gzip  ${String(minified).padStart(7)} B minified  ${name}`,
  ),
  {
    name: 'size',
    sizes,
    aims: [atMost('store + engine + sync', measured, storeEngineSyncMax, 'bytes of gzip')],
  },
)
