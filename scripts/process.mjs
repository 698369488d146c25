// How the scripts run other programs: always under the Node that the lock file names, always as a group that ends as a whole.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
export const node24 = join(root, 'node_modules/.bin/node')

/** The environment of every child: Node 24 first in PATH, whatever Node npm itself was started with. */
export function childEnvironment(extra = {}) {
  return {
    ...process.env,
    PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`,
    // Wrangler would ask whether it may report usage; a script cannot answer.
    WRANGLER_SEND_METRICS: 'false',
    // Locally nothing needs to know where in the world a request comes from, so it need not be asked for over the network.
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    // Wrangler is compiled once, and not whenever a test starts it.
    NODE_COMPILE_CACHE: join(root, '.waystone/compile-cache'),
    ...extra,
  }
}

/** The script behind a package's command, to be run by `node24` without depending on a shebang. */
export function commandOf(packageName, command = packageName) {
  const folder = join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const path = typeof bin === 'string' ? bin : bin?.[command]
  if (path === undefined) throw new Error(`${packageName} has no command ${command}`)
  return join(folder, path)
}

/** Runs a command of a package under Node 24 to its end. With `capture` its output is returned, else it is shown. */
export function runCommand(
  packageName,
  args,
  { command = packageName, cwd = root, env = {}, capture = false } = {},
) {
  return run(node24, [commandOf(packageName, command), ...args], { cwd, env: childEnvironment(env), capture })
}

/** Runs a TypeScript file of this repository to its end, with the packages from their sources. */
export function runSource(path, args = [], { capture = false } = {}) {
  const file = join(root, path)
  return run(node24, ['--conditions=@waystone/source', file, ...args], { env: childEnvironment(), capture })
}

/** @returns {Promise<{ code: number, output: string }>} */
export function run(file, args, { cwd = root, env = process.env, capture = false } = {}) {
  return new Promise((resolveRun, reject) => {
    const child = spawn(file, args, {
      cwd,
      env,
      stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
    })
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.stderr?.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => resolveRun({ code: code ?? (signal === null ? 1 : 128), output }))
  })
}

/** Sends a signal to a whole process group; a group that is gone already is no error. */
export function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
