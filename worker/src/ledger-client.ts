import type { Publish, Receipt } from '@waystone/demo/agent'
import type { Env } from './env.ts'

/** What the ledger knows about one key. */
export interface LedgerCount {
  /** How often the publication was asked for. */
  readonly starts: number
  /** 1 once it was published; never more for one key. */
  readonly effects: number
}

/** The ledger: the one in this worker, or the one at `LEDGER_URL`, which speaks the same. */
export interface LedgerClient extends Publish {
  count(key: string): Promise<LedgerCount>
}

/** Reaches the ledger that `env` names. */
export function ledgerClient(env: Env): LedgerClient {
  const send = (path: string, init?: RequestInit): Promise<Response> =>
    env.LEDGER_URL === undefined || env.LEDGER_URL === ''
      ? env.LEDGER.get(env.LEDGER.idFromName('ledger')).fetch(`https://ledger${path}`, init)
      : fetch(`${env.LEDGER_URL}${path}`, init)
  const read = async (response: Response): Promise<unknown> => {
    if (!response.ok) throw new Error(`the ledger answered ${String(response.status)}`)
    return response.json()
  }
  const look = async (key: string, signal?: AbortSignal): Promise<Receipt | undefined> => {
    const path = `/effect/publish?key=${encodeURIComponent(key)}`
    const answer = await read(await send(path, signal === undefined ? {} : { signal }))
    return isObject(answer) && answer['done'] === true ? receiptOf(answer['result']) : undefined
  }
  return {
    async publish({ run, title, text }, idempotencyKey, signal) {
      const response = await send('/effect/publish', {
        method: 'POST',
        headers: { 'idempotency-key': idempotencyKey, 'content-type': 'application/json' },
        body: JSON.stringify({ key: idempotencyKey, run, title, chars: text.length }),
        signal,
      })
      return receiptOf(await read(response))
    },
    async lookup(idempotencyKey, signal) {
      const value = await look(idempotencyKey, signal)
      return value === undefined ? { done: false } : { done: true, value }
    },
    async count(key) {
      const [receipt, counts] = await Promise.all([look(key), send('/count').then(read)])
      const byKey = isObject(counts) && isObject(counts['byKey']) ? counts['byKey'] : {}
      return { starts: Number(byKey[key] ?? 0), effects: receipt === undefined ? 0 : 1 }
    },
  }
}

function receiptOf(result: unknown): Receipt {
  if (isObject(result) && typeof result['number'] === 'number') return { number: result['number'] }
  throw new Error('the ledger answered with something else than a receipt')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
