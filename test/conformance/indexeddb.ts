import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout, type EngineName } from '../harness/engines.ts'
import type { StaticServer } from '../harness/static-server.ts'
import { durableNames, portCases } from './ports.ts'
import { call, servePage, sharedTab } from './test-pages.ts'

/** Every case of a storage, for IndexedDB in one engine: from a page, and from a worker. A file for each lets them run beside each other. */
export function describeIndexedDb(engineName: EngineName): void {
  describe(`IndexedDB in ${engineName}`, () => {
    let server: StaticServer
    beforeAll(async () => {
      server = await servePage()
    })
    afterAll(() => server.close())
    const tab = sharedTab(engineName, () => server)

    describe.each(['runInPage', 'runInWorker'])('%s', (place) => {
      it.for([...portCases, ...durableNames.map((name) => ['durable', name] as const)])(
        '%s: %s',
        async ([port, name], context) => {
          skipWithout(engineName, context)
          const result = await (await tab()).evaluate(call(place, port, name))
          expect(result).toEqual({ name, ok: true })
        },
      )
    })
  })
}
