import {
  claimJson,
  deflate,
  deflatedLines,
  fromBase64,
  headers,
  headOfLine,
  headText,
  isWaystoneError,
  joinLines,
  parseHead,
  parseHeld,
  parseInboxItem,
  splitLines,
  successorJson,
  WaystoneError,
  type Digest,
  type Edge,
  type Pulled,
  type Pushed,
  type Remote,
  type RemoteBlobs,
  type RunId,
} from '@waystone/core'
import { bytesOf, edgeHttp, type AskEdge, type EdgeOptions, type EdgeRequest } from './edge-http.ts'
import { followRun } from './follow-run.ts'
import { LiveSockets } from './live-sockets.ts'

/** A push of fewer bytes is one packet anyway. */
const deflatedBytesMin = 1_000

/** The edge as this device reaches it: HTTP for what must be answered, a WebSocket for what is live. */
export function edgeClient(options: EdgeOptions, device: string): Edge {
  const ask = edgeHttp(options, device)
  return { remote: edgeRemote(ask, options, device), blobs: edgeBlobs(ask) }
}

/** What a page of a log is asked with. */
interface AskPage extends Pick<EdgeRequest, 'headers'> {
  readonly query?: string
}

/** A page of a log, and whether items wait for who asks. */
interface Page extends Pick<Pulled, 'head' | 'lines'> {
  readonly waiting: boolean
}

function edgeRemote(ask: AskEdge, options: EdgeOptions, device: string): Remote {
  const sockets = new LiveSockets(options, device)
  /** What the edge has said last: an older one does not take them. */
  let takesDeflated = false
  const heed = (response: Response): Response => {
    takesDeflated = response.headers.get(headers.accepts) === 'deflate'
    return response
  }
  const askPage = async (run: RunId, { query = '', ...request }: AskPage): Promise<Page> => {
    const response = await ask(`/v1/runs/${run}/entries${query}`, { timeoutMs: 30_000, ...request })
    const lines = splitLines(await bytesOf(heed(response)))
    const waiting = response.headers.get(headers.inbox) !== null
    return { lines, head: parseHead(response.headers.get(headers.head)), waiting }
  }
  /** It has said entries that were not asked for: so does an edge that knows `from` alone. */
  let isOlder = false
  /** At an address that stays the same, so that the browser of a page of another origin has leave for it. */
  const pageFrom = async (run: RunId, from: number): Promise<Page> => {
    if (!isOlder && from > 0) {
      const page = await askPage(run, { headers: { [headers.after]: String(from - 1) } })
      const first = page.lines[0] && headOfLine(page.lines[0]).seq
      if (first === undefined || first === from) return page
      isOlder = first < from
      // A log that begins later says the same once more; an older edge what comes between.
    }
    return askPage(run, { query: `?from=${String(from)}` })
  }
  const remote: Remote = {
    async push(run, { base, lines }) {
      const plain = joinLines(lines)
      const small = takesDeflated && plain.byteLength >= deflatedBytesMin ? await deflate(plain) : undefined
      const response = await ask(`/v1/runs/${run}/entries`, {
        method: 'POST',
        headers: {
          [headers.base]: headText(base),
          'content-type': small ? deflatedLines : 'application/x-ndjson',
        },
        body: small ?? plain,
        timeoutMs: 30_000,
      })
      return parsePushed(await json(heed(response)))
    },
    async pull(run, from) {
      const { waiting, ...page } = from === undefined ? await askPage(run, {}) : await pageFrom(run, from)
      return { ...page, inbox: waiting ? await inboxOf(ask, run) : [] }
    },
    async claim(run, claim) {
      const response = await ask(`/v1/runs/${run}/claim`, post(claimJson(claim)))
      return splitLines(await bytesOf(response))
    },
    async hold(run, ms, from, successor) {
      const body = { ms, from, ...(successor ? { successor: successorJson(successor) } : {}) }
      const response = await ask(`/v1/runs/${run}/hold`, post(body, ms + 15_000))
      const held = parseHeld(await json(response))
      if (held === undefined) throw new WaystoneError('run_unknown', `the edge has no run ${run}`, { run })
      return held
    },
    async blockers(run) {
      const blockers = field(await json(await askBlockers(ask, run)), 'blockers')
      return Array.isArray(blockers) ? blockers.map(String) : []
    },
    async lendingKey(run) {
      const key = field(await json(await ask(`/v1/runs/${run}/lending-key`)), 'key')
      return typeof key === 'string' ? fromBase64(key) : undefined
    },
    async send(run, item) {
      await ask(`/v1/runs/${run}/inbox`, post(item))
    },
    follow: (run, follow) =>
      followRun({
        ...{ run, sockets, remote },
        ...follow,
        onEvent(event) {
          // It is about to be handed over: leave for the claim is asked for while steps still run.
          if (event.type === 'wanted') void remote.blockers(run).catch(() => undefined)
          follow.onEvent(event)
        },
      }),
  }
  return remote
}

function edgeBlobs(ask: AskEdge): RemoteBlobs {
  return {
    async put(run, hash, bytes) {
      await ask(`/v1/runs/${run}/blobs/${hash}`, { method: 'PUT', body: bytes, timeoutMs: 120_000 })
    },
    async get(run, hash) {
      try {
        return await bytesOf(await ask(`/v1/runs/${run}/blobs/${hash}`, { timeoutMs: 120_000 }))
      } catch (error) {
        if (error instanceof WaystoneError && error.code === 'blob_missing') return undefined
        throw error
      }
    },
    async missing(run, hashes) {
      return someOf(hashes, await ask(`/v1/runs/${run}/blobs/missing`, post({ hashes })))
    },
    async share(from, to, hashes) {
      // The edge may have to copy large ones.
      return someOf(hashes, await ask(`/v1/runs/${to}/blobs/share`, post({ from, hashes }, 120_000)))
    },
  }
}

/** At the address of a claim, for which the browser has leave then. An edge of an earlier version knows another one only. */
async function askBlockers(ask: AskEdge, run: RunId): Promise<Response> {
  const request = { timeoutMs: 30_000 }
  try {
    return await ask(`/v1/runs/${run}/claim`, request)
  } catch (error) {
    if (!isWaystoneError(error, 'request_refused')) throw error
    return ask(`/v1/runs/${run}/blockers`, request)
  }
}

/** Those of the hashes that an answer names. */
async function someOf(hashes: readonly Digest[], response: Response): Promise<readonly Digest[]> {
  const named = field(await json(response), 'hashes')
  if (!Array.isArray(named)) throw notUnderstood('a question for blobs')
  const all = new Set<unknown>(named)
  return hashes.filter((hash) => all.has(hash))
}

async function inboxOf(ask: AskEdge, run: RunId): ReturnType<typeof itemsOf> {
  return itemsOf(await ask(`/v1/runs/${run}/inbox`))
}

async function itemsOf(response: Response): Promise<readonly ReturnType<typeof parseInboxItem>[]> {
  const items = field(await json(response), 'items')
  return Array.isArray(items) ? items.map(parseInboxItem) : []
}

function post(
  body: unknown,
  timeoutMs = 15_000,
): { method: 'POST'; body: string; headers: Record<string, string>; timeoutMs: number } {
  return {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    timeoutMs,
  }
}

async function json(response: Response): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(await bytesOf(response)))
  } catch (cause) {
    if (cause instanceof WaystoneError) throw cause
    throw new WaystoneError('unreachable', 'an answer of the edge was not JSON', {
      cause,
      actions: ['retry'],
    })
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function parsePushed(value: unknown): Pushed {
  if (field(value, 'ok') === true) {
    const head = parseHead(field(value, 'head'))
    if (head) return { ok: true, head }
  }
  if (field(value, 'code') === 'head_moved')
    return { ok: false, code: 'head_moved', head: parseHead(field(value, 'head')) }
  const hashes = field(value, 'hashes')
  if (field(value, 'code') === 'blob_missing' && Array.isArray(hashes))
    return { ok: false, code: 'blob_missing', hashes: hashes.map(String) }
  throw notUnderstood('a push')
}

function notUnderstood(what: string): WaystoneError {
  return new WaystoneError(
    'unreachable',
    `the edge answered ${what} with something this Waystone does not know: update it here`,
    { actions: ['reload'] },
  )
}
