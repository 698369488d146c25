// `npm start`: the demo on this machine, page and edge together. Options: -- --port N, -- --lan
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { childEnvironment, commandOf, node24, root, runCommand, signalGroup } from './process.mjs'
import { setupOrExit } from './setup.mjs'

const firstPort = 8787
const portsTriedMax = 100
const readyTimeoutMs = 120_000
const stopTimeoutMs = 5_000

const { values } = parseArgs({
  options: { port: { type: 'string' }, lan: { type: 'boolean', default: false } },
})

setupOrExit({ browsers: false })

const built = await runCommand('vite', ['build', '--logLevel', 'warn'], { cwd: join(root, 'demo') })
if (built.code !== 0) fail('The demo page could not be built, see above.')

const token = localToken()
// As the page reads it, whatever is in a token of one's own.
const hash = `#${String(new URLSearchParams({ token }))}`
const host = values.lan ? '0.0.0.0' : '127.0.0.1'
const port = values.port === undefined ? await nextFreePort(host) : parsePort(values.port)
const edge = startEdge(host, port)
stopTogether(edge)
await waitUntilItAnswers(`http://127.0.0.1:${port}/`, edge)

console.log(`\nWaystone is ready: http://127.0.0.1:${port}/${hash}`)
if (values.lan)
  for (const address of lanAddresses()) console.log(`On this network:   http://${address}:${port}/${hash}`)
console.log('Who has the token may read and steer the runs. The page keeps it; .dev.vars has it, too.')
console.log('Ctrl-C ends it. Runs are kept in .waystone/state.')

/** The bearer token of the edge on this machine, made at the first start. */
function localToken() {
  const file = join(root, '.dev.vars')
  const known = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const found = /^WAYSTONE_TOKEN\s*=\s*"?([^"\s]+)"?\s*$/m.exec(known)?.[1]
  if (found !== undefined) return found
  const made = randomBytes(24).toString('base64url')
  const start = known === '' || known.endsWith('\n') ? '' : '\n'
  appendFileSync(file, `${start}WAYSTONE_TOKEN="${made}"\n`, { mode: 0o600 })
  chmodSync(file, 0o600)
  return made
}

function startEdge(ip, edgePort) {
  const state = join(root, '.waystone/state')
  const args = ['dev', '--ip', ip, '--port', String(edgePort), '--inspector-port', '0', '--persist-to', state]
  args.push('--show-interactive-dev-session=false', '--log-level', 'warn')
  // A group of its own, so that wrangler and the workerd it starts end together.
  return spawn(node24, [commandOf('wrangler'), ...args], {
    cwd: root,
    env: childEnvironment(),
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
}

function stopTogether(child) {
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    signalGroup(child.pid, 'SIGTERM')
    setTimeout(() => signalGroup(child.pid, 'SIGKILL'), stopTimeoutMs).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  child.on('error', (error) => fail(`The edge could not be started: ${error.message}`))
  child.on('exit', (code) => {
    // What wrangler leaves behind when it dies by itself goes with it.
    signalGroup(child.pid, 'SIGKILL')
    process.exit(stopping ? 0 : code || 1)
  })
}

async function waitUntilItAnswers(url, child) {
  const deadline = Date.now() + readyTimeoutMs
  while (Date.now() < deadline) {
    try {
      await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2_000) })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  signalGroup(child.pid, 'SIGKILL')
  fail(`The edge did not answer at ${url} within ${readyTimeoutMs / 1000} seconds.`)
}

async function nextFreePort(ip) {
  for (let candidate = firstPort; candidate < firstPort + portsTriedMax; candidate++) {
    if (await isFree(candidate, ip)) return candidate
  }
  return fail(
    `No free port between ${firstPort} and ${firstPort + portsTriedMax - 1}: choose one with -- --port N.`,
  )
}

function isFree(candidate, ip) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(candidate, ip, () => server.close(() => resolve(true)))
  })
}

function parsePort(text) {
  const parsed = Number(text)
  if (Number.isInteger(parsed) && parsed > 0 && parsed < 65_536) return parsed
  return fail(`--port takes a number from 1 to 65535, not "${text}".`)
}

function lanAddresses() {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return all.filter((item) => item.family === 'IPv4' && !item.internal).map((item) => item.address)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
