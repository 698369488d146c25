import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineNames, launchEngine, skipWithout, type Engine, type EnginePage } from '../harness/engines.ts'
import type { StaticServer } from '../harness/static-server.ts'
import { durableNames, portCases } from './ports.ts'
import { call, servePage } from './test-pages.ts'

let server: StaticServer
beforeAll(async () => {
  server = await servePage()
})
afterAll(() => server.close())

describe.each(engineNames)('IndexedDB in %s', (engineName) => {
  let engine: Engine | undefined
  let page: EnginePage | undefined
  afterAll(() => engine?.close())

  const open = async (): Promise<EnginePage> => {
    if (page) return page
    engine = await launchEngine(engineName)
    page = await engine.newPage()
    await page.goto(`${server.url}/`)
    await page.waitFor('page')
    return page
  }

  describe.each(['runInPage', 'runInWorker'])('%s', (place) => {
    it.for([...portCases, ...durableNames.map((name) => ['durable', name] as const)])(
      '%s: %s',
      async ([port, name], context) => {
        skipWithout(engineName, context)
        const result = await (await open()).evaluate(call(place, port, name))
        expect(result).toEqual({ name, ok: true })
      },
    )
  })
})
