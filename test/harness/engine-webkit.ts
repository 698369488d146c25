import { spawn, type ChildProcess } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import type { Engine, EnginePage, LaunchOptions } from './engines.ts'
import { freePort } from './free-port.ts'
import { isReady, jsonOf, parseJsonOf, waitForExpression } from './page-script.ts'
import { poll } from './poll.ts'
import { killTree, signalGroup } from './process-tree.ts'
import { openSession, type WebDriverSession } from './webdriver.ts'

const startTimeoutMs = 30_000
const defaultViewport = { width: 1280, height: 800 }
const screen = '2000x1600x24'

/** WebKitGTK's MiniBrowser over the W3C WebDriver protocol, on a display of its own. `rest` is Xvfb and MiniBrowser. */
export async function launchWebkit(
  driverPath: string,
  rest: readonly string[],
  options: LaunchOptions,
): Promise<Engine> {
  const [xvfbPath, browserPath] = rest
  if (xvfbPath === undefined || browserPath === undefined)
    throw new Error('webkit needs Xvfb and MiniBrowser')
  // Under automation MiniBrowser always uses a profile in memory.
  if (options.profileDir !== undefined) throw new Error('webkit keeps no profile under automation')

  const children: ChildProcess[] = []
  const killAll = () => {
    for (const child of children) if (child.pid !== undefined) killTree(child.pid)
  }
  try {
    const { child: xvfb, display } = startXvfb(xvfbPath)
    children.push(xvfb)
    const env = {
      ...process.env,
      DISPLAY: await display,
      GDK_BACKEND: 'x11',
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
    }
    const port = await freePort()
    const driver = spawn(driverPath, [`--port=${port}`, '--host=127.0.0.1'], {
      env,
      stdio: 'ignore',
      detached: true,
    })
    children.push(driver)
    const url = `http://127.0.0.1:${port}`
    await poll(
      () =>
        fetch(`${url}/status`).then(
          () => true,
          () => undefined,
        ),
      {
        timeoutMs: startTimeoutMs,
        message: () => 'WebKitWebDriver did not answer',
      },
    )
    const session = await openSession(url, {
      'webkitgtk:browserOptions': { binary: browserPath, args: ['--automation'] },
    })
    return webkitEngine(session, killAll, () => {
      for (const child of children) if (child.pid !== undefined) signalGroup(child.pid, 'SIGTERM')
    })
  } catch (error) {
    killAll()
    throw error
  }
}

/** Starts an X server that chooses a free display by itself and tells it on a file descriptor of ours. */
export function startXvfb(path: string): { child: ChildProcess; display: Promise<string> } {
  const child = spawn(path, ['-displayfd', '3', '-screen', '0', screen, '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    detached: true,
  })
  const display = new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('\n')) resolve(`:${text.trim()}`)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)))
  })
  display.catch(() => undefined)
  return { child, display }
}

function webkitEngine(session: WebDriverSession, killAll: () => void, endAll: () => void): Engine {
  // One driver has one current window: what several pages ask for runs one after the other.
  let last: Promise<unknown> = Promise.resolve()
  const inWindow = <T>(handle: string, work: () => Promise<T>): Promise<T> => {
    const run = last.then(async () => {
      await session.post('window', { handle })
      return work()
    })
    last = run.catch(() => undefined)
    return run
  }
  let first = true
  return {
    name: 'webkit',
    async newPage({ viewport, colorScheme } = {}) {
      if (colorScheme === 'dark') throw new Error('webkit cannot be set to dark by the harness')
      // The window that the session opened is the first page.
      const handle = first
        ? ((await session.get('window')) as string)
        : ((await session.post('window/new', { type: 'tab' })) as { handle: string }).handle
      first = false
      const page = webkitPage(session, (work) => inWindow(handle, work))
      await inWindow(handle, () => setViewport(session, viewport ?? defaultViewport))
      return page
    },
    async kill() {
      killAll()
      await last
    },
    async close() {
      await session.close().catch(() => undefined)
      endAll()
    },
  }
}

/** WebDriver sets the size of the window: its frame is measured, and added. */
async function setViewport(
  session: WebDriverSession,
  viewport: { width: number; height: number },
): Promise<void> {
  await session.post('window/rect', viewport)
  const size = 'JSON.stringify({ width: innerWidth, height: innerHeight })'
  const inner = JSON.parse(String(await session.execute(size))) as { width: number; height: number }
  const width = viewport.width * 2 - inner.width
  const height = viewport.height * 2 - inner.height
  await session.post('window/rect', { width, height })
}

function webkitPage(
  session: WebDriverSession,
  inWindow: <T>(work: () => Promise<T>) => Promise<T>,
): EnginePage {
  const evaluate = async <T>(expression: string): Promise<T> =>
    parseJsonOf<T>(await inWindow(() => session.execute(jsonOf(expression))))
  const waitFor: EnginePage['waitFor'] = (expression, options) =>
    waitForExpression(evaluate, expression, options)
  return {
    evaluate,
    waitFor,
    async goto(url) {
      await inWindow(() => session.post('url', { url }))
    },
    async click(selector) {
      await waitFor(isReady(selector))
      await inWindow(async () => session.post(`element/${await session.find(selector)}/click`, {}))
    },
    async fill(selector, text) {
      await waitFor(isReady(selector))
      await inWindow(async () => {
        const element = await session.find(selector)
        await session.post(`element/${element}/clear`, {})
        await session.post(`element/${element}/value`, { text })
      })
    },
    async press(key) {
      await inWindow(() => session.press(key))
    },
    async screenshot(file) {
      await writeFile(
        file,
        Buffer.from((await inWindow(() => session.get('screenshot'))) as string, 'base64'),
      )
    },
    setOffline: () => Promise.reject(new Error('webkit cannot be cut off from the network by the harness')),
    killRenderer: () => Promise.reject(new Error('the renderer of webkit cannot be killed by the harness')),
    async close() {
      await inWindow(() => session.delete('window'))
    },
  }
}
