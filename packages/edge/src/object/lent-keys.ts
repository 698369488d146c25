import { isWaystoneError, WaystoneError, type DueTime, type LentKeys, type RunId } from '@waystone/core'
import { lentCipher, openLent, type Lent } from '@waystone/encryption'
import { lendingPair } from '../access/lending.ts'
import { sqlLent } from '../store/sql-lent.ts'

/**
 * The keys of an encrypted run that devices lend to its object. They are in memory in the open as long as the object owns the
 * run, and stored as they came. `lapse` is when their time is over.
 */
export function lentKeys(durable: DurableObjectStorage, secret: string, lapse: DueTime): LentKeys {
  const stored = sqlLent(durable)
  const keys = new Map<string, Uint8Array>()
  let over = 0
  const isOver = (): boolean => Date.now() >= over
  const use = (lent: Lent): void => {
    keys.clear()
    for (const [id, key] of lent.keys) keys.set(id, key)
    over = lent.until
  }
  const keep = (text: string): void => {
    stored.set(text)
    // Should it fail, it is set again when they are recalled.
    void lapse.set(over).catch(() => undefined)
  }
  const cipher = lentCipher(keys)
  return {
    // One whose time is over has no key any more, whoever asks.
    cipher: { ...cipher, has: (key) => !isOver() && cipher.has(key) },
    async take(run, text) {
      const lent = await opened(secret, run, text)
      if (lent.until <= Date.now()) throw refused(run, 'the time for which its keys were lent is over')
      use(lent)
      return { until: lent.until, keep: () => keep(text) }
    },
    async recall(run) {
      const text = stored.get()
      if (text === undefined) return
      use(await opened(secret, run, text))
      if (isOver()) this.drop()
      else if (lapse.get() === undefined) await lapse.set(over)
    },
    drop() {
      keys.clear()
      stored.delete()
      if (lapse.get() !== undefined) void lapse.delete().catch(() => undefined)
    },
  }
}

async function opened(secret: string, run: RunId, text: string): Promise<Lent> {
  try {
    return await openLent(await lendingPair(secret), run, text)
  } catch (cause) {
    if (isWaystoneError(cause, 'input_refused')) throw cause
    throw refused(run, 'its keys were not lent to this edge', cause)
  }
}

function refused(run: RunId, why: string, cause?: unknown): WaystoneError {
  return new WaystoneError('move_refused', `run ${run} was not moved: ${why}`, {
    run,
    actions: ['retry'],
    ...(cause === undefined ? {} : { cause }),
  })
}
