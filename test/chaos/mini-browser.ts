import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { findEngine } from '../../scripts/engines.mjs'
import { startXvfb } from '../harness/engine-webkit.ts'
import { killTree, signalGroup } from '../harness/process-tree.ts'

/** A MiniBrowser without a driver. */
export interface MiniBrowser {
  /** SIGKILL to it and all its processes; the profile stays. */
  kill(): Promise<void>
}

/**
 * WebKitGTK's MiniBrowser without a driver, at the address of a page that opens tabs. Under automation it keeps its profile
 * in memory, which a killed browser cannot find again, and a crashed page ends the driver's session (WebKitGTK 2.50, 2026-11).
 */
export async function launchMiniBrowser(url: string, profileDir: string): Promise<MiniBrowser> {
  const found = findEngine('webkit')
  const [, xvfbPath, browserPath] = found.paths
  if (xvfbPath === undefined || browserPath === undefined) throw new Error(found.advice)
  // A killed browser leaves a cache of pages from which it may not load one again, idle for ever (WebKitGTK 2.50, 2026-11).
  const caches = `${profileDir}/cache`
  await rm(caches, { recursive: true, force: true, maxRetries: 5 })
  const { child: xvfb, display } = startXvfb(xvfbPath)
  const browser = spawn(browserPath, ['--javascript-can-open-windows-automatically=true', url], {
    stdio: 'ignore',
    detached: true,
    env: {
      ...process.env,
      DISPLAY: await display,
      GDK_BACKEND: 'x11',
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
      XDG_DATA_HOME: `${profileDir}/data`,
      XDG_CACHE_HOME: caches,
      XDG_CONFIG_HOME: `${profileDir}/config`,
    },
  })
  const exited = new Promise<void>((resolve) => browser.once('exit', () => resolve()))
  return {
    async kill() {
      if (browser.pid !== undefined) killTree(browser.pid)
      await exited
      if (xvfb.pid !== undefined) signalGroup(xvfb.pid, 'SIGTERM')
    },
  }
}
