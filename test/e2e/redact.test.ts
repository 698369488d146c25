import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resultOf, until } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

const secret = 'Zq7-secret-of-a-person-4711-xW'

/** All that a browser profile has on disk of IndexedDB. */
async function bytesIn(profile: string): Promise<Buffer> {
  const found = await readdir(join(profile, 'Default/IndexedDB'), { recursive: true, withFileTypes: true })
  const files = found.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Buffer.concat(await Promise.all(files.map((path) => readFile(path))))
}

describe('redact, in a browser and at the edge', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld({ answer: () => ({ token: secret }) })
  })
  afterAll(() => world.close())

  /** The bytes of a run that has ended, on the disk of the browser and of the edge. */
  async function stored(redacts: boolean): Promise<{ readonly here: Buffer; readonly there: Buffer }> {
    const device = await world.device()
    const tab = await device.open()
    const id = `guest-${String(redacts)}`
    const input = { server: world.effects.url, redacts }
    await tab.evaluate(`rig.start('guest', ${JSON.stringify(input)}, { id: '${id}' })`)
    await resultOf(tab, id)
    await until(tab, id, 'view.sync.synced?.seq === view.head.seq')
    let here: Buffer = Buffer.alloc(0)
    await device.relaunch(async (profile) => {
      here = await bytesIn(profile)
    })
    await device.close()
    return { here, there: Buffer.from(await world.stored()) }
  }

  it('leaves no byte of a secret, and without it the secret is there', async () => {
    const left = await stored(true)
    for (const bytes of [left.here, left.there]) {
      expect(bytes.includes('left out')).toBe(true)
      expect(bytes.includes(secret)).toBe(false)
    }
    const kept = await stored(false)
    for (const bytes of [kept.here, kept.there]) expect(bytes.includes(secret)).toBe(true)
  })
})
