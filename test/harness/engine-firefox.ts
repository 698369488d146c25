import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { launch, type KeyInput, type Page } from 'puppeteer-core'
import type { Engine, EnginePage, LaunchOptions } from './engines.ts'
import { isReady, jsonOf, PageGone, parseJsonOf, waitForExpression } from './page-script.ts'
import { poll } from './poll.ts'
import { killTree } from './process-tree.ts'

const settingsMsMax = 10_000
const defaultViewport = { width: 1280, height: 800 }

/** Firefox over WebDriver BiDi, the protocol it offers by itself. */
export async function launchFirefox(executablePath: string, options: LaunchOptions): Promise<Engine> {
  const browser = await launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    defaultViewport,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    ...(options.profileDir === undefined ? {} : { userDataDir: options.profileDir }),
    ...(options.firefoxPrefs === undefined ? {} : { extraPrefsFirefox: options.firefoxPrefs }),
  })
  const pid = browser.process()?.pid
  if (pid === undefined) throw new Error('firefox has no process')
  const exited = new Promise<void>((resolve) => browser.process()?.once('exit', () => resolve()))

  return {
    name: 'firefox',
    async newPage({ viewport, colorScheme } = {}) {
      // WebDriver BiDi has no command for it (Firefox 153, 2026-11).
      if (colorScheme === 'dark') throw new Error('firefox cannot be set to dark by the harness')
      const page = await browser.newPage()
      if (viewport !== undefined) await page.setViewport(viewport)
      return firefoxPage(page)
    },
    async kill() {
      killTree(pid)
      await exited
      await browser.close().catch(() => undefined)
      if (options.profileDir !== undefined) await settingsBack(options.profileDir)
    },
    close: () => browser.close(),
  }
}

/** The driver puts the settings of a profile back once its browser is gone, beside a launch that follows at once. */
async function settingsBack(profileDir: string): Promise<void> {
  const kept = ['prefs.js.puppeteer', 'user.js.puppeteer'].map((file) => join(profileDir, file))
  await poll(() => (kept.some((file) => existsSync(file)) ? undefined : true), {
    timeoutMs: settingsMsMax,
    message: () => `the settings of the profile in ${profileDir} were not put back`,
  })
}

function firefoxPage(page: Page): EnginePage {
  const evaluate = async <T>(expression: string): Promise<T> => {
    if (page.isClosed()) throw new PageGone('the page was closed')
    return parseJsonOf<T>(await page.evaluate(jsonOf(expression)))
  }
  const waitFor: EnginePage['waitFor'] = (expression, options) =>
    waitForExpression(evaluate, expression, options)
  return {
    evaluate,
    waitFor,
    async goto(url) {
      await page.goto(url)
    },
    async click(selector) {
      await waitFor(isReady(selector))
      await page.locator(selector).click()
    },
    async fill(selector, text) {
      await waitFor(isReady(selector))
      await page.locator(selector).fill(text)
    },
    press: (key) => page.keyboard.press(key as KeyInput),
    async screenshot(file) {
      await writeFile(file, await page.screenshot())
    },
    setOffline: () => Promise.reject(new Error('firefox cannot be cut off from the network by the harness')),
    killRenderer: () => Promise.reject(new Error('the renderer of firefox cannot be killed by the harness')),
    close: () => page.close(),
  }
}
