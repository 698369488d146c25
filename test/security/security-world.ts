import { mintToken, newAccessKey, operations, type AccessKey, type Grant } from '@waystone/access'
import { parseOwnerId, type EntryDraft, type Head, type RunId } from '@waystone/core'
import { join } from 'node:path'
import { startLastingEdge, type LastingEdge } from '../harness/lasting-edge.ts'
import { askingRun, chainOf, type AskingRun } from './asking-run.ts'

/** An edge with signed tokens, and what a test sends it. */
export interface SecurityWorld {
  readonly edge: LastingEdge
  /** The key that signs. */
  readonly key: AccessKey
  /** A token for a tenant, with every right that the test does not name otherwise. */
  token(grant?: Partial<Grant>): Promise<string>
  ask(path: string, token: string | undefined, init?: RequestInit): Promise<Answer>
  /** Pushes a run that asks a question, and a blob of it, as `ana` of this tenant. */
  begin(tenant: string, run: RunId): Promise<AskingRun>
  /** Pushes entries as `ana` of a tenant: the first of a run, or those after `base`. Gives the head. */
  push(tenant: string, run: RunId, drafts: readonly EntryDraft[], base?: Head): Promise<Head>
  close(): Promise<void>
}

/** An answer of the edge. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** The code of a refusal. */
  readonly code: string | undefined
}

/** The device that owns the runs of the tests. */
export const laptop = parseOwnerId('laptop')

/** Starts the edge of these tests, or with `deployed` the one that is deployed. */
export async function startSecurityWorld(
  vars: Readonly<Record<string, string>> = {},
  { app = 'app' }: { readonly app?: 'app' | 'deployed' } = {},
): Promise<SecurityWorld> {
  const { key, publicKey } = await newAccessKey('first')
  const keys = JSON.stringify({ keys: [publicKey] })
  const edge = await startLastingEdge({
    config: join(import.meta.dirname, `${app}/wrangler.toml`),
    vars: { KEYS: keys, WAYSTONE_KEYS: keys, ORIGINS: 'https://app.example.com', ...vars },
  })
  const world: SecurityWorld = {
    edge,
    key,
    token: (grant = {}) =>
      mintToken(key, { tenant: 'acme', subject: 'ana', runs: ['*'], operations, ...grant }),
    async ask(path, token, init = {}) {
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
      if (!headers.has('waystone-device')) headers.set('waystone-device', laptop)
      const response = await fetch(`${edge.process.url}${path}`, { ...init, headers })
      const text = await response.text()
      return { status: response.status, text, headers: response.headers, code: codeOf(text) }
    },
    async begin(tenant, run) {
      const token = await world.token({ tenant })
      const asking = askingRun(run, laptop)
      const { hash, bytes } = asking.blob
      const path = `/v1/runs/${run}`
      const put = await world.ask(`${path}/blobs/${hash}`, token, { method: 'PUT', body: bytes })
      const headers = { 'waystone-base': 'none' }
      const push = await world.ask(`${path}/entries`, token, { method: 'POST', body: asking.text, headers })
      if (put.status !== 204 || push.code !== undefined)
        throw new Error(`run ${run} was not taken: ${put.text} ${push.text}`)
      return asking
    },
    async push(tenant, run, drafts, base) {
      const { text, head } = chainOf(run, laptop, drafts, base)
      const headers = { 'waystone-base': base === undefined ? 'none' : `${String(base.seq)}:${base.digest}` }
      const init = { method: 'POST', body: text, headers }
      const pushed = await world.ask(`/v1/runs/${run}/entries`, await world.token({ tenant }), init)
      if (pushed.status !== 200 || pushed.code !== undefined)
        throw new Error(`entries of ${run} were not taken: ${pushed.text}`)
      return head
    },
    close: () => edge.close(),
  }
  return world
}

function codeOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : undefined
  } catch {
    return undefined
  }
}
