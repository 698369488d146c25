import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { buildEdge, wranglerEnv } from './edge-build.ts'
import type { HostedEdge } from './edge-host.ts'
import { freePort } from './free-port.ts'
import { poll } from './poll.ts'
import { commandLine, isAlive, killTree, processTree, residentBytes, signalGroup } from './process-tree.ts'

const root = join(import.meta.dirname, '../..')
const readyTimeoutMs = 60_000
const stopTimeoutMs = 10_000
const logCharactersMax = 20_000

export interface EdgeOptions {
  /** The folder of the stored state: a later start with the same folder finds it. */
  readonly persistTo: string
  /** A free one is taken by default. A restart passes the old one, so that pages find the edge again. */
  readonly port?: number
  /** Variables of the worker, beside those of the configuration. */
  readonly vars?: Readonly<Record<string, string>>
  /** The file that Wrangler is told of the worker in. */
  readonly config: string
}

/** A running edge: a process of Node with its workerd. */
export interface EdgeProcess {
  /** Without a slash at its end. */
  readonly url: string
  readonly port: number
  /** What it has printed so far, its end when that is long. */
  log(): string
  /** What workerd has of memory, in bytes. */
  memory(): number
  /** SIGKILL to it, workerd and all they started; returns when they are gone. */
  kill(): Promise<void>
  /** Ends it as Ctrl-C does. */
  stop(): Promise<void>
}

/** Starts an edge as it is deployed, in Miniflare; returns when it answers. */
export async function startEdge({ config, vars = {}, persistTo, port }: EdgeOptions): Promise<EdgeProcess> {
  const hosted: HostedEdge = {
    build: await buildEdge(config),
    persistTo,
    port: port ?? (await freePort()),
    vars,
  }
  const args = [join(import.meta.dirname, 'edge-host.ts'), JSON.stringify(hosted)]
  return startProcess(args, hosted.port)
}

/** Starts the repository's worker with `wrangler dev`, as `npm start` does; returns when it answers. */
export async function startWranglerDev(options: Omit<EdgeOptions, 'config'>): Promise<EdgeProcess> {
  const port = options.port ?? (await freePort())
  const vars = Object.entries(options.vars ?? {}).flatMap(([name, value]) => ['--var', `${name}:${value}`])
  const args = [
    join(root, 'node_modules/wrangler/bin/wrangler.js'),
    'dev',
    '--config',
    join(root, 'wrangler.toml'),
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--inspector-port',
    '0',
    '--persist-to',
    options.persistTo,
    '--show-interactive-dev-session=false',
    ...vars,
  ]
  return startProcess(args, port)
}

/** Starts Node as a process group of its own; returns when something answers at that port. */
async function startProcess(args: readonly string[], port: number): Promise<EdgeProcess> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: wranglerEnv,
  })
  let log = ''
  const keep = (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-logCharactersMax)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let ended = false
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      log += String(error)
      ended = true
      resolve()
    })
    child.once('exit', () => {
      ended = true
      resolve()
    })
  })
  const url = `http://127.0.0.1:${port}`

  const kill = async () => {
    if (child.pid === undefined) return
    // Both ways: the tree knows what left the group, the group knows what lost its parent.
    const members = processTree(child.pid)
    killTree(child.pid)
    signalGroup(child.pid, 'SIGKILL')
    await exited
    await poll(() => (members.some(isAlive) ? undefined : true), {
      timeoutMs: stopTimeoutMs,
      message: () => `processes of the edge are still there: ${members.filter(isAlive).join(', ')}`,
    })
  }

  try {
    await poll(
      async () => {
        if (ended) throw new Error(`the edge ended before it answered:\n${log}`)
        return fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) }).then(
          () => true,
          () => undefined,
        )
      },
      { timeoutMs: readyTimeoutMs, message: () => `the edge did not answer at ${url}:\n${log}` },
    )
  } catch (error) {
    await kill()
    throw error
  }

  return {
    url,
    port,
    log: () => log,
    memory: () =>
      processTree(child.pid ?? 0)
        .filter((pid) => commandLine(pid).includes('workerd'))
        .reduce((bytes, pid) => bytes + residentBytes(pid), 0),
    kill,
    async stop() {
      if (child.pid === undefined || ended) return
      signalGroup(child.pid, 'SIGTERM')
      const timeout = setTimeout(() => void kill(), stopTimeoutMs)
      await exited
      clearTimeout(timeout)
      signalGroup(child.pid, 'SIGKILL')
    },
  }
}
