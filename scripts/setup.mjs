// Makes a fresh clone ready: dependencies as the lock file says, Node 24, and the browsers for the tests.
// It needs nothing but Node 20 and npm, so it imports only from Node itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { engineNames, findEngine } from './engines.mjs'
import { node24, root } from './process.mjs'

/** Sets up what is missing. Throws with one readable message when that is not possible. */
export function setup({ browsers }) {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) throw new Error(`Node 20 or newer is needed, this is ${process.version}`)
  if (!isInstalled()) installDependencies()
  checkNode()
  if (browsers) setupEngines()
}

/** Whether node_modules holds what the lock file names: npm keeps its own record of what it put there. */
function isInstalled() {
  const recordFile = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(recordFile)) return false
  const wanted = readPackages(join(root, 'package-lock.json'))
  const present = readPackages(recordFile)
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true
    const found = present[path]
    // Packages for other systems are optional and rightly absent.
    if (found === undefined) return entry.optional === true || entry.devOptional === true
    return found.version === entry.version && found.integrity === entry.integrity && found.link === entry.link
  })
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
}

function installDependencies() {
  console.log('Installing dependencies (npm ci) ...')
  // npm removes node_modules first, so it must not run on the Node that lives there.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes(`${join('node_modules', '.bin')}`))
    .join(delimiter)
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } })
  if (result.error) throw new Error(`npm could not be started: ${result.error.message}`)
  if (result.status !== 0) throw new Error('npm ci failed, see above')
}

function checkNode() {
  const result = spawnSync(node24, ['--version'], { encoding: 'utf8' })
  const version = result.stdout?.trim() ?? ''
  if (version.startsWith('v24.')) return
  const found = version === '' ? 'nothing that runs' : version
  throw new Error(
    `node_modules/.bin/node should be Node 24 and is ${found}. The package "node" puts it there by an install script: ` +
      'check that npm may run install scripts (ignore-scripts=false), remove node_modules and try again.',
  )
}

function setupEngines() {
  let missing = missingEngines()
  if (missing.length > 0 && canUseApt()) {
    const packages = [...new Set(missing.flatMap((engine) => engine.packages))]
    console.log(`Installing ${packages.join(', ')} ...`)
    installPackages(packages)
    missing = missingEngines()
  }
  if (missing.length === 0) return
  const report = missing.map((engine) => `  ${engine.advice}`).join('\n')
  if (process.env.CI) throw new Error(`Every engine must be there when CI is set:\n${report}`)
  console.warn(`Some engines are missing; their tests are reported as skipped:\n${report}`)
}

function missingEngines() {
  return engineNames.map((name) => findEngine(name)).filter((engine) => engine.missing.length > 0)
}

function canUseApt() {
  if (process.getuid?.() !== 0 || !existsSync('/etc/os-release')) return false
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'))
}

function installPackages(packages) {
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  spawnSync('apt-get', ['update', '-q'], options)
  // One at a time: on a system that lacks one of them, such as Ubuntu without a chromium package, the others still come.
  for (const name of packages)
    spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], options)
}

/** Runs the set-up for a script and ends the process with a readable message when it fails. */
export function setupOrExit(options) {
  try {
    setup(options)
  } catch (error) {
    console.error(`Set-up failed: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  setupOrExit({ browsers: !process.argv.includes('--no-browsers') })
