import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CaseResult } from '@waystone/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from '../harness/edge-process.ts'

/** What an object does not do, and why. */
export const notHere: Readonly<Record<string, string>> = {
  'list() pages': 'an object has one run: the list of all runs is the catalog',
  'close() waits for appends under way; afterwards everything rejects with `closed`':
    'an object has nothing to close: the runtime ends it',
  'closing one leaves the others open': 'an object has nothing to close: the runtime ends it',
}

/** The worker whose objects the cases are run in, for the tests of one file. */
export function conformanceEdge(): { readonly url: string } {
  let edge: EdgeProcess
  let persistTo: string
  beforeAll(async () => {
    persistTo = await mkdtemp(join(tmpdir(), 'waystone-conformance-'))
    edge = await startEdge({ persistTo, config: join(import.meta.dirname, 'edge/wrangler.toml') })
  })
  afterAll(async () => {
    await edge.stop()
    await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    get url() {
      return edge.url
    },
  }
}

/** A test of each case that an object can be held to. `moving`: its history is moved into the bucket all the while. */
export function itKeeps(
  edge: { readonly url: string },
  cases: readonly (readonly [port: string, name: string])[],
  options: { readonly moving?: true } = {},
): void {
  it.for(cases.filter(([, name]) => notHere[name] === undefined))('%s: %s', async ([port, name]) => {
    const body = JSON.stringify({ port, name, ...options })
    const response = await fetch(edge.url, { method: 'POST', body })
    expect((await response.json()) as CaseResult).toEqual({ name, ok: true })
  })
}
