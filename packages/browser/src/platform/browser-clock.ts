import { timerWait, type Clock } from '@waystone/core'

/** The clock of a page or worker. */
export function browserClock(): Clock {
  const waiting: (() => void)[] = []
  const ask = taskMaker(() => waiting.shift()?.())
  return {
    now: () => Date.now(),
    task: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        ask()
      }),
    wait: timerWait((fire, ms) => {
      const timer = setTimeout(fire, ms)
      return () => clearTimeout(timer)
    }),
  }
}

/**
 * What has `next` called in a task of its own, as soon as the engine can. Timers are clamped to 4 ms once they nest. A message
 * takes 0.03 ms in Chromium and Firefox, and 0.2 to 0.5 in WebKitGTK; there a digest of nothing, which is made on another
 * thread, takes 0.05 to 0.1. WebKit is known by the scheduler that it lacks; origins that are not secure have no digests.
 * `scheduler.postTask` itself would hold up all timers in Firefox (all 2026-11).
 */
function taskMaker(next: () => void): () => void {
  const { crypto } = globalThis as { readonly crypto?: { readonly subtle?: SubtleCrypto } }
  if (!('scheduler' in globalThis) && crypto?.subtle !== undefined) return digestTasks(crypto.subtle, next)
  const channel = new MessageChannel()
  channel.port1.onmessage = next
  return () => channel.port2.postMessage(null)
}

/** One digest at a time: those that end together are told in one task. */
function digestTasks(subtle: SubtleCrypto, next: () => void): () => void {
  let asked = 0
  const make = async (): Promise<void> => {
    await subtle.digest('SHA-256', new Uint8Array(0))
    next()
    asked -= 1
    if (asked > 0) void make()
  }
  return () => {
    asked += 1
    if (asked === 1) void make()
  }
}
