import { WaystoneError } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { DeviceKeys, type KeyringStore, type OwnKeys, type StoredDevice } from './device-keys.ts'
import type { Keyring } from './keyring.ts'

function memoryOwnKeys(): OwnKeys {
  let stored: StoredDevice | undefined
  return {
    load: async () => stored,
    add: async (device) => (stored ??= device),
    async saw(keyring) {
      if (stored && (stored.keyring?.version ?? 0) < keyring.version) stored = { ...stored, keyring }
    },
  }
}

/** A place that keeps keyrings, as an edge does: `version` counts on. */
function memoryStore() {
  const kept: { keyring?: Keyring | undefined; isThere: boolean; saves: number } = { isThere: true, saves: 0 }
  const store: KeyringStore = {
    async load() {
      if (!kept.isThere) throw new WaystoneError('unreachable', 'no network')
      return structuredClone(kept.keyring)
    },
    async save(keyring) {
      kept.saves += 1
      if (kept.keyring && keyring.version !== kept.keyring.version + 1)
        throw new WaystoneError('head_moved', 'another device was faster')
      kept.keyring = structuredClone(keyring)
    },
  }
  return { kept, store }
}

const run = 'tides' as never

describe('the keys of a device', () => {
  it('are there at once on the first one, and on others when they were let in', async () => {
    const { store } = memoryStore()
    const laptop = await DeviceKeys.open(memoryOwnKeys(), store)
    expect(laptop.isLetIn).toBe(true)
    const own = memoryOwnKeys()
    const phone = await DeviceKeys.open(own, store)
    expect(phone.isLetIn).toBe(false)
    expect(() => phone.encryption()).toThrow(phone.device.fingerprint)
    await laptop.reload()
    expect(laptop.waiting).toEqual([phone.device])
    await expect(laptop.letIn({ ...phone.device, id: 'nobody' })).rejects.toMatchObject({
      code: 'input_refused',
    })
    await laptop.letIn(phone.device)
    await phone.reload()
    const { cipher } = laptop.encryption()
    const key = cipher.keyFor(run, undefined, false)
    expect(phone.encryption().cipher.has(key)).toBe(true)
    expect((await DeviceKeys.open(own, store)).isLetIn).toBe(true)
    expect(laptop.devices.map(({ id }) => id)).toEqual([laptop.device.id, phone.device.id])
    expect(laptop.waiting).toEqual([])
    expect(phone.code).toMatch(/^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$/)
    expect(phone.code).toBe(laptop.code)
  })

  it('stay what they are when whoever keeps the keyring makes one of their own', async () => {
    const { kept, store } = memoryStore()
    const [own, theirs] = [memoryOwnKeys(), memoryStore()]
    const laptop = await DeviceKeys.open(own, store)
    const before = laptop.encryption().cipher.keyFor(run, undefined, false)
    const edge = await DeviceKeys.open(memoryOwnKeys(), theirs.store)
    const asking = await DeviceKeys.open(own, store)
    expect(asking.code).toBe(laptop.code)
    const [known] = kept.keyring?.devices ?? []
    theirs.kept.keyring = { ...(theirs.kept.keyring as Keyring), version: 5, waiting: known ? [known] : [] }
    await edge.reload()
    await edge.letIn(laptop.device)
    kept.keyring = theirs.kept.keyring
    await laptop.reload()
    expect(laptop.refused).toMatchObject({ code: 'log_damaged' })
    const again = await DeviceKeys.open(own, store)
    for (const keys of [laptop, again])
      expect(keys.encryption().cipher.keyFor(run, undefined, false)).toBe(before)
    await expect(again.rotate()).rejects.toMatchObject({ code: 'log_damaged' })
  })

  it('are put back in the place of what somebody else has made of the keyring, for all devices', async () => {
    const { kept, store } = memoryStore()
    const [own, others] = [memoryOwnKeys(), memoryOwnKeys()]
    const laptop = await DeviceKeys.open(own, store)
    const phone = await DeviceKeys.open(others, store)
    await laptop.reload()
    await laptop.letIn(phone.device)
    await phone.reload()
    await expect(laptop.putBack()).rejects.toMatchObject({ code: 'input_refused' })
    const garbage = { version: (kept.keyring?.version ?? 0) + 1, keys: 'none' } as unknown as Keyring
    kept.keyring = garbage
    await phone.reload()
    expect([phone.isLetIn, phone.refused?.code]).toEqual([true, 'log_damaged'])
    expect((await DeviceKeys.open(others, store)).isLetIn).toBe(true)
    await laptop.putBack()
    await phone.reload()
    expect([laptop.refused, phone.refused]).toEqual([undefined, undefined])
    expect(kept.keyring?.version).toBe(garbage.version + 1)
    await phone.rotate()
    await laptop.reload()
    expect(laptop.code).toBe(phone.code)
    // Who has seen none believes nothing that is none.
    kept.keyring = garbage
    await expect(DeviceKeys.open(memoryOwnKeys(), store)).rejects.toMatchObject({ code: 'log_damaged' })
  })

  it.each([{ keys: [null] }, { devices: [null] }, { keys: [{ id: 'x', sealed: null }] }])(
    'are put back in the place of a keyring with %o',
    async (part) => {
      const { kept, store } = memoryStore()
      const own = memoryOwnKeys()
      const { code } = await DeviceKeys.open(own, store)
      kept.keyring = { ...(kept.keyring as Keyring), version: 2, ...part } as unknown as Keyring
      const laptop = await DeviceKeys.open(own, store)
      expect([laptop.code, laptop.refused?.code]).toEqual([code, 'log_damaged'])
      await laptop.putBack()
      const phone = await DeviceKeys.open(memoryOwnKeys(), store)
      await laptop.reload()
      await laptop.letIn(phone.device)
      expect([laptop.refused, kept.keyring.devices.length]).toEqual([undefined, 2])
    },
  )

  it('are put back where the keyring went back to an old one, and all devices believe it', async () => {
    const { kept, store } = memoryStore()
    const [own, others] = [memoryOwnKeys(), memoryOwnKeys()]
    const laptop = await DeviceKeys.open(own, store)
    const old = kept.keyring
    const phone = await DeviceKeys.open(others, store)
    await laptop.reload()
    await laptop.letIn(phone.device)
    await phone.reload()
    await phone.rotate()
    await laptop.reload()
    kept.keyring = old
    await phone.reload()
    await laptop.reload()
    expect([laptop.refused?.code, phone.refused?.code]).toEqual(['log_damaged', 'log_damaged'])
    await laptop.putBack()
    await phone.reload()
    expect([laptop.refused, phone.refused, phone.code]).toEqual([undefined, undefined, laptop.code])
    await phone.rotate()
  })

  it('are there, and can be put back, where a keyring of a later form is kept', async () => {
    const { kept, store } = memoryStore()
    const own = memoryOwnKeys()
    const { code } = await DeviceKeys.open(own, store)
    const later = { ...(kept.keyring as Keyring), format: 2, version: 2 } as unknown as Keyring
    kept.keyring = later
    const laptop = await DeviceKeys.open(own, store)
    expect([laptop.code, laptop.refused?.code]).toEqual([code, 'format_newer'])
    await expect(DeviceKeys.open(memoryOwnKeys(), store)).rejects.toMatchObject({ code: 'format_newer' })
    await expect(laptop.rotate()).rejects.toMatchObject({ code: 'format_newer' })
    expect(kept.keyring).toEqual(later)
    await laptop.putBack()
    expect((await DeviceKeys.open(own, store)).refused).toBe(undefined)
  })

  it('are changed as ever when something waits there that is no device', async () => {
    const { kept, store } = memoryStore()
    const own = memoryOwnKeys()
    const laptop = await DeviceKeys.open(own, store)
    const phone = await DeviceKeys.open(memoryOwnKeys(), store)
    const none = [null, 7, {}, { id: 'x' }, { id: 7, publicKey: 'AAAA' }, { id: 'x', publicKey: '!' }]
    const spoil = (): void => {
      const { version, waiting, ...rest } = kept.keyring as Keyring
      kept.keyring = { ...rest, version: version + 1, waiting: [...none, ...waiting] as never }
    }
    spoil()
    await laptop.reload()
    expect([laptop.refused, laptop.waiting]).toEqual([undefined, [phone.device]])
    const tablet = await DeviceKeys.open(memoryOwnKeys(), store)
    spoil()
    await laptop.letIn(phone.device)
    expect(laptop.waiting).toEqual([tablet.device])
    spoil()
    await laptop.shutOut(phone.device.id)
    spoil()
    const again = await DeviceKeys.open(own, store)
    await again.rotate()
    expect([again.refused, kept.keyring?.waiting.map(({ id }) => id)]).toEqual([
      undefined,
      [tablet.device.id],
    ])
  })

  it('are given to the device whose fingerprint was compared, whoever takes its place meanwhile', async () => {
    const { kept, store } = memoryStore()
    const own = memoryOwnKeys()
    const phone = memoryOwnKeys()
    await DeviceKeys.open(own, store)
    const { device } = await DeviceKeys.open(phone, store)
    const theirs = memoryStore()
    await DeviceKeys.open(memoryOwnKeys(), theirs.store)
    const [theirKey] = theirs.kept.keyring?.devices ?? []
    let isSwapped = false
    const laptop = await DeviceKeys.open(own, {
      load: store.load,
      async save(keyring) {
        if (isSwapped) return store.save(keyring)
        // In the moment in which it is let in another key takes its place, under its name.
        isSwapped = true
        const { version, waiting } = kept.keyring as Keyring
        kept.keyring = {
          ...(kept.keyring as Keyring),
          version: version + 1,
          waiting: waiting.map((one) => ({ ...one, publicKey: theirKey?.publicKey ?? '' })),
        }
        throw new WaystoneError('head_moved', 'another device was faster')
      },
    })
    expect(laptop.waiting).toEqual([device])
    await expect(laptop.letIn(device)).rejects.toMatchObject({ code: 'input_refused' })
    expect([isSwapped, kept.keyring?.devices.length]).toEqual([true, 1])
  })

  it('show the fingerprint of their own key, whatever is kept under the id of their device', async () => {
    const { kept, store } = memoryStore()
    const phone = memoryOwnKeys()
    const laptop = await DeviceKeys.open(memoryOwnKeys(), store)
    const keys = await DeviceKeys.open(phone, store)
    const { device } = keys
    const theirs = memoryStore()
    await DeviceKeys.open(memoryOwnKeys(), theirs.store)
    const [theirKey] = theirs.kept.keyring?.devices ?? []
    const [asked] = kept.keyring?.waiting ?? []
    const swapped = { id: device.id, publicKey: theirKey?.publicKey ?? '' }
    const underAnother = { id: 'another', publicKey: asked?.publicKey ?? '' }
    kept.keyring = { ...(kept.keyring as Keyring), version: 3, waiting: [swapped, underAnother] }
    await keys.reload()
    expect(keys.device).toEqual(device)
    const again = await DeviceKeys.open(phone, store)
    expect(again.device).toEqual(device)
    // It asks again, and can be let in beside them.
    await laptop.reload()
    expect(laptop.waiting).toContainEqual(device)
    await laptop.letIn(device)
    await again.reload()
    expect(again.code).toBe(laptop.code)
  })

  it('go on with a new key when another device is shut out, also where they are in use', async () => {
    const { store } = memoryStore()
    const [laptop, phone] = [
      await DeviceKeys.open(memoryOwnKeys(), store),
      await DeviceKeys.open(memoryOwnKeys(), store),
    ]
    await laptop.reload()
    await laptop.letIn(phone.device)
    await phone.reload()
    const mine = laptop.encryption().cipher
    const theirs = phone.encryption().cipher
    const before = mine.keyFor(run, undefined, false)
    await laptop.shutOut(phone.device.id)
    const after = mine.keyFor(run, before, false)
    expect([mine.has(before), mine.has(after), theirs.has(before), theirs.has(after)]).toEqual([
      true,
      true,
      true,
      false,
    ])
    await phone.reload()
    expect(phone.isLetIn).toBe(false)
  })

  it('are changed by two devices at once, one after the other', async () => {
    const { kept, store } = memoryStore()
    const laptop = await DeviceKeys.open(memoryOwnKeys(), store)
    const others = await Promise.all([1, 2, 3].map(() => DeviceKeys.open(memoryOwnKeys(), store)))
    await laptop.reload()
    expect(laptop.waiting).toHaveLength(3)
    await Promise.all(others.map(({ device }) => laptop.letIn(device)))
    expect(laptop.devices).toHaveLength(4)
    expect(kept.keyring?.version).toBe(7)
  })

  it('are there without a network, are kept again where they were lost, and not believed when they are old', async () => {
    const { kept, store } = memoryStore()
    const own = memoryOwnKeys()
    const laptop = await DeviceKeys.open(own, store)
    const old = kept.keyring
    await laptop.rotate()
    const newest = kept.keyring
    kept.isThere = false
    expect((await DeviceKeys.open(own, store)).isLetIn).toBe(true)
    await expect(DeviceKeys.open(memoryOwnKeys(), store)).rejects.toMatchObject({ code: 'unreachable' })
    kept.isThere = true
    kept.keyring = undefined
    await DeviceKeys.open(own, store)
    expect(kept.keyring).toEqual(newest)
    kept.keyring = old
    const keys = await DeviceKeys.open(own, store)
    expect([keys.refused?.code, keys.code]).toEqual(['log_damaged', laptop.code])
  })
})
