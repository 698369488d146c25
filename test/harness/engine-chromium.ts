import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import type { Engine, EnginePage, LaunchOptions, PageOptions } from './engines.ts'
import { isReady, jsonOf, PageGone, parseJsonOf, waitForExpression } from './page-script.ts'
import { commandLine, killTree, processTree } from './process-tree.ts'

const crashTimeoutMs = 30_000
const defaultViewport = { width: 1280, height: 800 }

export interface ChromiumPage extends EnginePage {
  /** Playwright's own page, for what the common interface does not have, such as intercepting requests. */
  readonly raw: Page
  /** The process that renders this page now. Asking before a `killRenderer` makes that one immediate. */
  rendererPid(): Promise<number>
}

export interface ChromiumEngine extends Engine {
  newPage(options?: PageOptions): Promise<ChromiumPage>
}

export async function launchChromium(
  executablePath: string,
  options: LaunchOptions,
): Promise<ChromiumEngine> {
  const profileDir = options.profileDir ?? (await mkdtemp(join(tmpdir(), 'waystone-chromium-')))
  const removeProfile = () =>
    options.profileDir === undefined
      ? rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
      : undefined
  // A persistent context even for a profile that is thrown away: its pages share storage as tabs do.
  const context = await chromium.launchPersistentContext(profileDir, {
    executablePath,
    headless: true,
    viewport: defaultViewport,
    // The handlers would end the browser on a signal that is meant for the test runner, which closes it itself.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [
      // Chromium refuses to run its sandbox as root.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const closed = new Promise<void>((resolve) => context.once('close', () => resolve()))
  const browserPid = findBrowser(profileDir)

  return {
    name: 'chromium',
    async newPage(pageOptions = {}) {
      const page = await context.newPage()
      if (pageOptions.viewport !== undefined) await page.setViewportSize(pageOptions.viewport)
      if (pageOptions.colorScheme !== undefined)
        await page.emulateMedia({ colorScheme: pageOptions.colorScheme })
      return chromiumPage(page, context)
    },
    async kill() {
      killTree(browserPid)
      await closed
      await removeProfile()
    },
    async close() {
      await context.close()
      await removeProfile()
    },
  }
}

function chromiumPage(page: Page, context: BrowserContext): ChromiumPage {
  let gone: ((error: PageGone) => void) | undefined
  const whenGone = new Promise<never>((_, reject) => (gone = reject))
  whenGone.catch(() => undefined)
  const crashed = new Promise<void>((resolve) => page.once('crash', () => resolve()))
  page.once('crash', () => gone?.(new PageGone('the renderer of the page crashed')))
  page.once('close', () => gone?.(new PageGone('the page was closed')))

  let pid: number | undefined
  // A navigation may move the page to another process.
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) pid = undefined
  })
  const rendererPid = async () => (pid ??= await findRenderer(page, context))

  const evaluate = async <T>(expression: string): Promise<T> =>
    parseJsonOf<T>(await Promise.race([page.evaluate(jsonOf(expression)), whenGone]))
  const waitFor: EnginePage['waitFor'] = (expression, options) =>
    waitForExpression(evaluate, expression, options)

  return {
    raw: page,
    rendererPid,
    evaluate,
    waitFor,
    async goto(url) {
      await page.goto(url)
    },
    async click(selector) {
      await waitFor(isReady(selector))
      await page.locator(selector).first().click()
    },
    async fill(selector, text) {
      await waitFor(isReady(selector))
      await page.locator(selector).first().fill(text)
    },
    press: (key) => page.keyboard.press(key),
    async screenshot(file) {
      await page.screenshot({ path: file })
    },
    setOffline: (offline) => context.setOffline(offline),
    async killRenderer() {
      process.kill(await rendererPid(), 'SIGKILL')
      const timeout = AbortSignal.timeout(crashTimeoutMs)
      await Promise.race([
        crashed,
        new Promise((_, reject) =>
          timeout.addEventListener('abort', () => reject(new Error('the page reported no crash'))),
        ),
      ])
    },
    close: () => page.close(),
  }
}

/**
 * The process that renders a page. The DevTools protocol maps no page to a process, but a trace of the page opens with the
 * process of each of its frames, which is how the performance panel knows it.
 */
async function findRenderer(page: Page, context: BrowserContext): Promise<number> {
  const session = await context.newCDPSession(page)
  try {
    const { frameTree } = await session.send('Page.getFrameTree')
    const pids = new Set<number>()
    session.on('Tracing.dataCollected', ({ value }) => {
      for (const event of value as unknown[]) {
        for (const frame of (event as TraceEvent).args?.data?.frames ?? []) {
          if (frame.frame === frameTree.frame.id && frame.processId !== undefined) pids.add(frame.processId)
        }
      }
    })
    const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()))
    const categories = ['disabled-by-default-devtools.timeline']
    await session.send('Tracing.start', {
      transferMode: 'ReportEvents',
      traceConfig: { includedCategories: categories, excludedCategories: ['*'] },
    })
    await session.send('Tracing.end')
    await complete
    const [pid] = pids
    if (pid === undefined || !commandLine(pid).includes('--type=renderer')) {
      throw new Error(`the renderer of ${page.url()} was not found (${[...pids].join(', ')})`)
    }
    return pid
  } finally {
    await session.detach()
  }
}

interface TraceEvent {
  readonly args?: { readonly data?: { readonly frames?: readonly { frame?: string; processId?: number }[] } }
}

/** The browser's own process among our children: the one that was started with this profile. */
function findBrowser(profileDir: string): number {
  const pid = processTree(process.pid).find((candidate) => {
    const command = commandLine(candidate)
    return command.includes(`--user-data-dir=${profileDir} `) && !command.includes(' --type=')
  })
  if (pid === undefined) throw new Error(`no browser process has the profile ${profileDir}`)
  return pid
}
