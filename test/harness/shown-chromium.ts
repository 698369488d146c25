import { launch, type Browser, type Page } from 'puppeteer-core'
import { findEngine } from '../../scripts/engines.mjs'
import { jsonOf, parseJsonOf, waitForExpression } from './page-script.ts'

/** Chromium whose tabs hide each other. Playwright, which the other tests use, tells every page that it is shown, whatever is in front of it. */
export function launchShown(): Promise<Browser> {
  return launch({
    executablePath: findEngine('chromium').paths[0] as string,
    headless: true,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu'],
  })
}

/** The value of an expression in a page. */
export async function evaluate<T>(page: Page, expression: string): Promise<T> {
  return parseJsonOf<T>(await page.evaluate(jsonOf(expression)))
}

/** Waits until an expression is true in a page. */
export function until(page: Page, expression: string): Promise<void> {
  return waitForExpression((one) => evaluate(page, one), expression)
}
