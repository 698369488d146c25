import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStorage } from '@waystone/core/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from '../harness/edge-process.ts'
import type { CaseResult } from './collector.ts'
import { collectSaverSuite } from './saver-suite.ts'

/** The same cases, to be named before they ran. */
const names = collectSaverSuite(async () => ({
  storage: memoryStorage(),
  close: () => Promise.resolve(),
})).names()

describe('the saver of LangGraph over Durable Objects, in workerd', () => {
  let edge: EdgeProcess
  let persistTo: string
  let results: readonly CaseResult[] = []
  beforeAll(async () => {
    persistTo = await mkdtemp(join(tmpdir(), 'waystone-langgraph-'))
    edge = await startEdge({ persistTo, config: join(import.meta.dirname, 'edge/wrangler.toml') })
    results = (await (await fetch(`${edge.url}/suite`)).json()) as readonly CaseResult[]
  })
  afterAll(async () => {
    await edge.stop()
    await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
  })

  it.for(names.map((name, index) => [name, index] as const))('%s', ([name, index]) => {
    expect(results[index]).toEqual({ name, ok: true })
  })

  it('has run every case', () => {
    expect(results.map(({ name }) => name)).toEqual(names)
  })
})
