import { join } from 'node:path'
import { memoryStorage } from '@waystone/core/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, type Engine } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'
import type { CaseResult } from './collector.ts'
import { collectSaverSuite } from './saver-suite.ts'

/** The same cases, to be named before they ran. */
const names = collectSaverSuite(async () => ({
  storage: memoryStorage(),
  close: () => Promise.resolve(),
})).names()

describe('the saver of LangGraph over IndexedDB, in Chromium', () => {
  let site: StaticServer
  let chromium: Engine
  let results: readonly CaseResult[] = []
  beforeAll(async () => {
    const html =
      '<!doctype html><title>LangGraph</title><body><script type="module" src="./page.js"></script>'
    site = await serveStatic({ 'index.html': html, ...(await bundle(join(import.meta.dirname, 'page.ts'))) })
    chromium = await launchEngine('chromium')
    const page = await chromium.newPage()
    await page.goto(`${site.url}/`)
    await page.waitFor('globalThis.runSuite')
    results = await page.evaluate<readonly CaseResult[]>('runSuite()')
  })
  afterAll(async () => {
    await chromium.close()
    await site.close()
  })

  it.for(names.map((name, index) => [name, index] as const))('%s', ([name, index]) => {
    expect(results[index]).toEqual({ name, ok: true })
  })

  it('has run every case', () => {
    expect(results.map(({ name }) => name)).toEqual(names)
  })
})
