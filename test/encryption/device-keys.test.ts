import type { Keyring } from '@waystone/encryption'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineNames, launchEngine, skipWithout, type Engine } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

let server: StaticServer
beforeAll(async () => {
  const scripts = await bundle([join(import.meta.dirname, 'page.ts')])
  const html =
    '<!doctype html><meta charset="utf-8"><title>Keys</title><script type="module" src="/page.js"></script>'
  server = await serveStatic({ ...scripts, 'index.html': html })
})
afterAll(() => server.close())

interface Opened {
  readonly isLetIn: boolean
  readonly device: { readonly id: string; readonly fingerprint: string }
}

describe.each(engineNames)('the keys of a device in %s', (engineName) => {
  let engine: Engine | undefined
  afterAll(() => engine?.close())

  it('are kept by the browser, used by any page of its origin, and read by none', async (context) => {
    skipWithout(engineName, context)
    engine = await launchEngine(engineName)
    const tab = await engine.newPage()
    await tab.goto(server.url)
    await tab.waitFor('window.keys !== undefined')
    const laptop = await tab.evaluate<Opened>(`keys.open('laptop')`)
    expect(laptop).toMatchObject({ isLetIn: true })
    const sealed = await tab.evaluate<string>(`keys.seal('low water at 6')`)
    const keyring = await tab.evaluate<Keyring>('keys.keyring')
    expect(await tab.evaluate(`keys.privateKey('laptop')`)).toEqual({
      type: 'private',
      extractable: false,
      read: 'InvalidAccessError',
    })

    await tab.goto(`${server.url}/?again`)
    await tab.waitFor('window.keys !== undefined')
    expect(await tab.evaluate(`keys.open('laptop', ${JSON.stringify(keyring)})`)).toEqual(laptop)
    expect(await tab.evaluate(`keys.unseal('${sealed}')`)).toBe('low water at 6')

    // Another device, in a database of its own.
    const phone = await tab.evaluate<Opened>(`keys.open('phone', ${JSON.stringify(keyring)})`)
    expect(phone.isLetIn).toBe(false)
    const asked = await tab.evaluate<Keyring>('keys.keyring')
    expect(await tab.evaluate(`keys.open('laptop', ${JSON.stringify(asked)})`)).toEqual(laptop)
    await tab.evaluate(`keys.letIn(${JSON.stringify(phone.device)})`)
    const both = await tab.evaluate<Keyring>('keys.keyring')
    expect(await tab.evaluate(`keys.open('phone', ${JSON.stringify(both)})`)).toEqual({
      ...phone,
      isLetIn: true,
    })
    expect(await tab.evaluate(`keys.unseal('${sealed}')`)).toBe('low water at 6')

    // Whoever keeps the keyring gives an old one.
    expect(await tab.evaluate(`keys.open('phone', ${JSON.stringify(asked)})`)).toEqual({
      ...phone,
      isLetIn: true,
      refused: 'log_damaged',
    })
    expect(await tab.evaluate(`keys.unseal('${sealed}')`)).toBe('low water at 6')
    await tab.close()
  })
})
