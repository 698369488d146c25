import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineNames, launchEngine, skipWithout, type Engine, type EnginePage } from '../harness/engines.ts'
import type { StaticServer } from '../harness/static-server.ts'
import { call, openTab, servePage } from './test-pages.ts'

const hash = '0123456789abcdef'.repeat(4)

let server: StaticServer
beforeAll(async () => {
  server = await servePage()
})
afterAll(() => server.close())

describe.each(engineNames)('what IndexedDB holds in %s', (engineName) => {
  let engine: Engine | undefined
  afterAll(() => engine?.close())
  const newTab = async (): Promise<EnginePage> => {
    engine ??= await launchEngine(engineName)
    return openTab(engine, server)
  }
  interface Records {
    readonly count: number
    readonly bytes: number
    readonly deflated: number
  }

  it('is a record an append, and few small ones once they are cold', async (context) => {
    skipWithout(engineName, context)
    const tab = await newTab()
    expect(await tab.evaluate(call('open', 'packed'))).toBe('ok')
    expect(await tab.evaluate(call('append', 'packed', 600, 900))).toBe('ok')
    const before = await tab.evaluate<Records>(call('stored.records', 'packed'))
    expect(before).toMatchObject({ count: 600, deflated: 0 })
    expect(await tab.evaluate(call('compact', 'packed', 0, 590))).toBe('ok')
    const after = await tab.evaluate<Records>(call('stored.records', 'packed'))
    expect(after.count).toBeLessThan(20)
    expect(after.bytes).toBeLessThan(before.bytes / 4)
    expect(after.deflated).toBeGreaterThan(1)
    expect(await tab.evaluate(call('count', 'packed'))).toBe(600)
    expect(await tab.evaluate(call('compact', 'packed', 0, 590))).toBe('ok')
    expect(await tab.evaluate(call('stored.records', 'packed'))).toEqual(after)
    expect(await tab.evaluate(call('compact', 'packed', 590, 590))).toBe('ok')
    const least = await tab.evaluate<Records>(call('stored.records', 'packed'))
    expect(least.count).toBeLessThanOrEqual(11)
    expect(await tab.evaluate(call('append', 'packed', 1))).toBe('ok')
  })

  it('is equal bytes of two runs once, cold ones smaller, and none that no run has', async (context) => {
    skipWithout(engineName, context)
    const tab = await newTab()
    expect(await tab.evaluate(call('open', 'blobs'))).toBe('ok')
    const put = (run: string, cold: boolean): Promise<unknown> =>
      tab.evaluate(call('putBlob', 'blobs', run, hash, 20_000, cold))
    const blobs = (): Promise<{ count: number; bytes: number; refs: number }> =>
      tab.evaluate(call('stored.blobs', 'blobs'))
    expect([await put('run-1', true), await put('run-2', false)]).toEqual(['ok', 'ok'])
    expect(await blobs()).toMatchObject({ count: 1, refs: 2 })
    expect((await blobs()).bytes).toBeLessThan(2_000)
    expect(await tab.evaluate(call('removeBlob', 'blobs', 'run-1', hash))).toBe('ok')
    expect(await blobs()).toMatchObject({ count: 1, refs: 1 })
    expect(await tab.evaluate(call('removeBlob', 'blobs', 'run-2', hash))).toBe('ok')
    expect(await blobs()).toEqual({ count: 0, bytes: 0, refs: 0 })
  })

  it('stays readable when version 1 has written it, while another tab has it open', async (context) => {
    skipWithout(engineName, context)
    const [tab, other] = [await newTab(), await newTab()]
    await other.evaluate(call('stored.makeVersion1', 'first', hash))
    expect(await tab.evaluate(call('open', 'first'))).toBe('ok')
    expect(await tab.evaluate(call('count', 'first'))).toBe(3)
    expect(await tab.evaluate(call('device', 'first'))).toBe('the-device')
    expect(await tab.evaluate(call('tails', 'first'))).toEqual([{ reason: 'the first version', lines: 1 }])
    // Blobs of version 1 do not say whose they are: every run has them, and none takes them away.
    for (const run of ['run-1', 'run-2']) {
      expect(await tab.evaluate(call('blob', 'first', run, hash))).toEqual([1, 2, 3])
      expect(await tab.evaluate(call('removeBlob', 'first', run, hash))).toBe('ok')
    }
    expect(await tab.evaluate(call('blob', 'first', 'run-1', hash))).toEqual([1, 2, 3])
    expect(await tab.evaluate(call('append', 'first', 5))).toBe('ok')
    expect(await tab.evaluate(call('compact', 'first', 0, 7))).toBe('ok')
    expect(await tab.evaluate(call('count', 'first'))).toBe(8)
  })
})
