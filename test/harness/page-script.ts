import type { WaitOptions } from './engines.ts'
import { poll } from './poll.ts'

const waitTimeoutMs = 30_000

/** An expression that evaluates another one and gives its value as JSON text, or null where it has none. */
export function jsonOf(expression: string): string {
  return `(async () => { const value = await (${expression}\n); return value === undefined ? null : JSON.stringify(value) })()`
}

/** The value that `jsonOf` gave as text. */
export function parseJsonOf<T>(text: unknown): T {
  return (typeof text === 'string' ? JSON.parse(text) : undefined) as T
}

/** Asks a page until an expression is truthy; the error says the expression and what the page shows. */
export async function waitForExpression(
  evaluate: <T>(expression: string) => Promise<T>,
  expression: string,
  options: WaitOptions = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? waitTimeoutMs
  let lastError = ''
  await poll(
    async () => {
      try {
        const isTrue = await evaluate<boolean>(`(async () => Boolean(await (${expression}\n)))()`)
        lastError = ''
        return isTrue ? true : undefined
      } catch (error) {
        // An element that is not there yet, or a page that is just navigating, is not true yet. A page that is gone stays gone.
        if (error instanceof PageGone) throw error
        lastError = error instanceof Error ? error.message : String(error)
        return undefined
      }
    },
    {
      timeoutMs,
      message: async () => {
        const text = await evaluate<string>('document.body?.innerText ?? ""').catch((error: unknown) =>
          String(error),
        )
        const last = lastError === '' ? '' : `\nIt last threw: ${lastError}`
        return `Not true within ${timeoutMs} ms: ${expression}${last}\nThe page shows:\n${text.slice(0, 4_000)}`
      },
    },
  )
}

/** The page crashed or was closed: asking again is of no use. */
export class PageGone extends Error {}

/** True when an element can be used: it is there, can be seen, and is not disabled. */
export function isReady(selector: string): string {
  const quoted = JSON.stringify(selector)
  return `(() => {
    const element = document.querySelector(${quoted})
    if (element === null || element.disabled === true) return false
    const box = element.getBoundingClientRect()
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility === 'visible'
  })()`
}
