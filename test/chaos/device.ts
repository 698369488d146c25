import { rm } from 'node:fs/promises'
import { launchEngine, type ChromiumPage, type Engine, type EngineName } from '../harness/engines.ts'
import type { Control, Hello } from './control.ts'
import { inTime } from './in-time.ts'
import { launchMiniBrowser, type MiniBrowser } from './mini-browser.ts'
import { findRenderer } from './renderers.ts'

/** A tab with the page of the chaos tests. */
export interface Tab extends Hello {
  ask<T>(name: string, ...args: readonly unknown[]): Promise<T>
  /** Finds the process that renders it, so that killing it takes no time. */
  locate(): Promise<number>
  /** SIGKILL to the process that `locate` has found. */
  killRenderer(): void
  /** Closes the tab as a person does. */
  close(): Promise<void>
}

/** A browser with a profile on disk, in the hands of the program. */
export interface Device {
  /** Opens a tab in the browser, which is started when it does not run. Resolves when the page has opened Waystone. */
  open(): Promise<Tab>
  /** SIGKILL to the whole browser; the profile stays. */
  killBrowser(): Promise<void>
  /** Ends it, and the profile with it. */
  close(): Promise<void>
}

/** What a device needs. */
export interface DeviceOptions {
  readonly engine: EngineName
  readonly control: Control
  readonly profileDir: string
  /** The address of the page, or of the one that opens tabs, for a life of this name. */
  address(life: string, page?: 'keeper'): string
}

/** How an engine is started, and how its tabs come and go. */
interface Browser {
  open(life: string): Promise<OpenTab>
  kill(): Promise<void>
  close(): Promise<void>
}

interface OpenTab {
  /** Its renderer, which is none of the others. */
  locate(others: ReadonlySet<number>): Promise<number>
  close(): Promise<void>
  crashed(): void
}

const helloMsMax = 60_000
/** By default Firefox renders all isolated pages of a site in one process, and a crash takes all tabs (153, 2026-11). */
const firefoxPrefs = { 'dom.ipc.processCount.webCOOP+COEP': 4 }
let lives = 0

/** A device of an engine. */
export function deviceOf(options: DeviceOptions): Device {
  const { engine: name, control, profileDir } = options
  let browser: Browser | undefined
  /** The tabs that are open, and the process of each that was looked for. */
  const open = new Map<string, number | undefined>()
  const gone = (life: string): void => {
    open.delete(life)
    control.gone(life)
  }
  const left = (): void => {
    for (const life of [...open.keys()]) gone(life)
    browser = undefined
  }

  return {
    async open() {
      browser ??= name === 'webkit' ? await miniBrowser(options) : await drivenBrowser(options)
      const life = nextLife(name)
      open.set(life, undefined)
      const opened = await browser.open(life)
      const hello = await arrived(control.hello(life), life)
      let pid: number | undefined
      return {
        ...hello,
        ask: (action, ...args) => control.ask(life, action, ...args),
        async locate() {
          const others = [...open.values()].filter((known) => known !== undefined)
          pid ??= await opened.locate(new Set(others))
          if (open.has(life)) open.set(life, pid)
          return pid
        },
        killRenderer() {
          if (pid === undefined) throw new Error(`nobody has looked for the renderer of ${life}`)
          process.kill(pid, 'SIGKILL')
          gone(life)
          opened.crashed()
        },
        async close() {
          await opened.close()
          gone(life)
        },
      }
    },
    async killBrowser() {
      await browser?.kill()
      left()
    },
    async close() {
      await browser?.close().catch(() => undefined)
      left()
      await rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Chromium and Firefox, by the drivers of the harness. */
async function drivenBrowser({
  engine: name,
  control,
  profileDir,
  address,
}: DeviceOptions): Promise<Browser> {
  const engine: Engine = await launchEngine(name, { profileDir, firefoxPrefs })
  return {
    async open(life) {
      const page = await engine.newPage()
      await page.goto(address(life))
      const spin = (ms: number): Promise<unknown> => control.ask(life, 'spin', ms)
      return {
        locate: (others) =>
          name === 'chromium' ? (page as ChromiumPage).rendererPid() : findRenderer(spin, others),
        close: () => page.close(),
        // What shows that it crashed; another tab is opened in its place.
        crashed: () => void page.close().catch(() => undefined),
      }
    },
    kill: () => engine.kill(),
    close: () => engine.close(),
  }
}

/** WebKitGTK, whose tabs are opened by one that stays. */
async function miniBrowser({ control, profileDir, address }: DeviceOptions): Promise<Browser> {
  const keeper = nextLife('keeper')
  const mini: MiniBrowser = await launchMiniBrowser(address(keeper, 'keeper'), profileDir)
  await arrived(control.hello(keeper), keeper).catch(async (error: unknown) => {
    await mini.kill()
    throw error
  })
  return {
    async open(life) {
      await control.ask(keeper, 'open', address(life))
      return {
        locate: (others) => findRenderer((ms) => control.ask(life, 'spin', ms), others),
        async close() {
          void control.ask(life, 'leave').catch(() => undefined)
          await control.left(life)
        },
        crashed: () => undefined,
      }
    },
    kill: () => mini.kill(),
    close: () => mini.kill(),
  }
}

function nextLife(name: string): string {
  lives += 1
  return `${name}-${String(process.pid)}-${String(lives)}`
}

function arrived(hello: Promise<Hello>, life: string): Promise<Hello> {
  return inTime(hello, helloMsMax, () => {
    throw new Error(`the page ${life} did not come up within ${String(helloMsMax)} ms`)
  })
}
