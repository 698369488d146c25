import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, parse } from 'node:path'
import { promisify } from 'node:util'
import type { LegacyWorkerOptions } from 'miniflare'
import { poll } from './poll.ts'

const root = join(import.meta.dirname, '../..')
const buildMsMax = 120_000

/** What wrangler runs with. The condition lets a test's own configuration bundle the packages from their sources, as wrangler.toml does by aliases. */
export const wranglerEnv = {
  ...process.env,
  CI: '1',
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_BUILD_CONDITIONS: '@waystone/source,workerd,worker,browser',
  FORCE_COLOR: '0',
}

/** A worker as it is deployed, and what its configuration binds. */
export interface EdgeBuild {
  readonly script: string
  readonly options: LegacyWorkerOptions
}

/** Where the builds of this process are, or of the whole run of the tests. */
let folder: string | undefined = process.env['WAYSTONE_EDGE_BUILDS']

/** A folder for the builds of this process and of those that it starts. It goes with this process. */
export function keepEdgeBuilds(): string {
  if (folder !== undefined) return folder
  const made = mkdtempSync(join(tmpdir(), 'waystone-edge-builds-'))
  process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  process.env['WAYSTONE_EDGE_BUILDS'] = made
  folder = made
  return made
}

/** Bundles the worker of a configuration with Wrangler, once in a run of the tests. Gives the file that has its `EdgeBuild`. */
export async function buildEdge(config: string): Promise<string> {
  const place = join(keepEdgeBuilds(), createHash('sha256').update(config).digest('hex').slice(0, 16))
  const [built, failed] = [join(place, 'build.json'), join(place, 'failed.txt')]
  const read = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined)
  const isMine = await mkdir(place).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false
      throw error
    },
  )
  if (isMine) {
    const build = bundle(config, place).then((one) => put(built, JSON.stringify(one)))
    await build.catch((error: unknown) => put(failed, error instanceof Error ? error.message : String(error)))
  }
  // Another process may be at it.
  await poll(
    async () => {
      const why = await read(failed)
      if (why !== undefined) throw new Error(`${config} could not be built: ${why}`)
      return read(built)
    },
    { timeoutMs: buildMsMax, everyMs: 100, message: () => `${config} is not built yet` },
  )
  return built
}

async function bundle(config: string, place: string): Promise<EdgeBuild> {
  const wrangler = join(root, 'node_modules/wrangler/bin/wrangler.js')
  const args = [wrangler, 'deploy', '--dry-run', '--config', config, '--outdir', join(place, 'built')]
  await promisify(execFile)(process.execPath, args, { cwd: root, env: wranglerEnv })
  // It takes a second, which nobody has to wait for who finds what is built.
  const { unstable_getMiniflareWorkerOptions, unstable_readConfig } = await import('wrangler')
  const { main = '', name = '' } = unstable_readConfig({ config })
  const script = await readFile(join(place, 'built', `${parse(main).name}.js`), 'utf8')
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config)
  // What objects store is kept by the name of their worker.
  return { script, options: { ...(workerOptions as LegacyWorkerOptions), name } }
}

/** Whole or not at all, for those who look for it. */
async function put(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text)
  await rename(`${file}.part`, file)
}
