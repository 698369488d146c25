import { toBase64 } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { userCipher } from './cipher.ts'
import { fingerprint, letIn, newKeyring, openKeyring, rotate, shutOut, type Keyring } from './keyring.ts'
import { newKeyPair, publicKeyOf } from './sealed-box.ts'

async function device(id: string) {
  const own = { id, pair: await newKeyPair() }
  return { own, known: { id, publicKey: toBase64(await publicKeyOf(own.pair)) } }
}

describe('a keyring', () => {
  it('opens on the devices that were let in, and on no other', async () => {
    const [laptop, phone, thief] = [await device('laptop'), await device('phone'), await device('thief')]
    const ring = await letIn(await newKeyring(laptop.own), laptop.own, phone.known)
    const keys = await openKeyring(ring, laptop.own)
    expect(keys).toHaveLength(1)
    expect(await openKeyring(ring, phone.own)).toEqual(keys)
    await expect(openKeyring(ring, thief.own)).rejects.toMatchObject({ code: 'key_missing' })
    await expect(openKeyring(ring, { ...thief.own, id: 'phone' })).rejects.toMatchObject({
      code: 'log_damaged',
    })
    await expect(letIn(ring, thief.own, thief.known)).rejects.toMatchObject({ code: 'key_missing' })
    expect(await letIn(ring, laptop.own, phone.known)).toBe(ring)
    const other = { id: 'phone', publicKey: thief.known.publicKey }
    await expect(letIn(ring, laptop.own, other)).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('gets a new key when a device is shut out, which that one cannot read', async () => {
    const [laptop, phone] = [await device('laptop'), await device('phone')]
    const before = await letIn(await newKeyring(laptop.own), laptop.own, phone.known)
    const after = await shutOut(before, laptop.own, 'phone')
    expect(after.version).toBe(before.version + 1)
    await expect(openKeyring(after, phone.own)).rejects.toMatchObject({ code: 'key_missing' })
    const keys = await openKeyring(after, laptop.own)
    expect(keys.map(({ id }) => id).slice(0, 1)).toEqual(before.keys.map(({ id }) => id))
    expect(keys).toHaveLength(2)
    const theirs = userCipher(await openKeyring(before, phone.own))
    const mine = userCipher(keys)
    const old = theirs.keyFor('tides' as never, undefined, false)
    const now = mine.keyFor('tides' as never, old, false)
    expect([theirs.has(old), theirs.has(now), mine.has(old), mine.has(now)]).toEqual([
      true,
      false,
      true,
      true,
    ])
    await expect(shutOut(after, laptop.own, 'laptop')).rejects.toMatchObject({ code: 'input_refused' })
    await expect(shutOut(after, laptop.own, 'phone')).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('is not believed when it is older than one that was seen, of a later form, or none', async () => {
    const laptop = await device('laptop')
    const ring = await newKeyring(laptop.own)
    const later = await rotate(ring, laptop.own)
    expect(await openKeyring(later, laptop.own, ring)).toHaveLength(2)
    await expect(openKeyring(ring, laptop.own, later)).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining('gone back'),
    })
    const newer = { ...ring, format: 2 } as unknown as Keyring
    await expect(openKeyring(newer, laptop.own)).rejects.toMatchObject({ code: 'format_newer' })
    for (const none of [{}, { ...ring, keys: [] }, { ...ring, version: 'x' }])
      await expect(openKeyring(none as never, laptop.own)).rejects.toMatchObject({ code: 'log_damaged' })
    const [key] = ring.keys
    const swapped = { ...ring, keys: [{ id: 'other', sealed: key?.sealed ?? {} }] }
    await expect(openKeyring(swapped, laptop.own)).rejects.toMatchObject({ code: 'log_damaged' })
  })

  const [id, publicKey] = ['laptop', 'AAAA']
  const malformed: Readonly<Record<string, object>> = {
    'a device that is none': { devices: [null] },
    'a device without an id': { devices: [{ publicKey }] },
    'a device whose public key is no text': { devices: [{ id, publicKey: 7 }] },
    'a device whose public key is not base64': { devices: [{ id, publicKey: '!' }] },
    'devices by name': { devices: { laptop: publicKey } },
    'a key that is none': { keys: [null] },
    'a key without an id': { keys: [{ sealed: { laptop: publicKey } }] },
    'a key that is sealed for nobody': { keys: [{ id }] },
    'a key that is sealed as null': { keys: [{ id, sealed: null }] },
    'a key that is sealed as a number': { keys: [{ id, sealed: { laptop: 7 } }] },
    'a key that is sealed in no base64': { keys: [{ id, sealed: { laptop: '!' } }] },
    'no proofs': { proofs: null },
    'a proof that is none': { proofs: { [id]: null } },
  }
  it.each(Object.entries(malformed))('is damaged with %s', async (_, part) => {
    const laptop = await device('laptop')
    const broken = { ...(await newKeyring(laptop.own)), ...part } as Keyring
    await expect(openKeyring(broken, laptop.own)).rejects.toMatchObject({ code: 'log_damaged' })
    await expect(rotate(broken, laptop.own)).rejects.toMatchObject({ code: 'log_damaged' })
  })

  it('is changed without what waits there and is no device', async () => {
    const [laptop, phone] = [await device('laptop'), await device('phone')]
    const ring = { ...(await newKeyring(laptop.own)), waiting: [null, phone.known] } as unknown as Keyring
    expect(await openKeyring(ring, laptop.own)).toHaveLength(1)
    expect((await rotate(ring, laptop.own)).waiting).toEqual([phone.known])
    const both = await letIn(ring, laptop.own, phone.known)
    expect(both.waiting).toEqual([])
    expect((await shutOut({ ...both, waiting: ring.waiting }, laptop.own, 'phone')).waiting).toEqual([
      phone.known,
    ])
  })

  it('is not believed when whoever keeps it has put in a key or a device of their own', async () => {
    const [laptop, edge] = [await device('laptop'), await device('edge')]
    const ring = await newKeyring(laptop.own)
    // All that is needed for it is public.
    const theirs = await newKeyring(edge.own)
    const { keys } = await letIn(theirs, edge.own, laptop.known)
    const versions = { version: ring.version + 1 }
    const ofTheirs = { ...(await letIn(theirs, edge.own, laptop.known)), ...versions, devices: ring.devices }
    const withKey = { ...ring, ...versions, keys: [...ring.keys, ...keys] }
    const withDevice = { ...ring, ...versions, devices: [...ring.devices, edge.known] }
    const withoutProof = { ...withDevice, proofs: {} }
    const without = { ...theirs, version: 9 }
    for (const forged of [ofTheirs, withKey, withDevice, withoutProof, without])
      await expect(openKeyring(forged, laptop.own, ring)).rejects.toMatchObject({ code: 'log_damaged' })
    // Even where nothing was seen before, nobody adds a device to what has keys.
    for (const forged of [withDevice, withoutProof])
      await expect(letIn(forged, laptop.own, edge.known)).rejects.toMatchObject({ code: 'log_damaged' })
  })

  it('tells a device that it was really shut out, and that only', async () => {
    const [laptop, phone] = [await device('laptop'), await device('phone')]
    const both = await letIn(await newKeyring(laptop.own), laptop.own, phone.known)
    const after = await rotate(await shutOut(both, laptop.own, 'phone'), laptop.own)
    await expect(openKeyring(after, phone.own, both)).rejects.toMatchObject({ code: 'key_missing' })
    expect(await openKeyring(after, laptop.own, both)).toHaveLength(3)
    const pretended = { ...both, version: 9, devices: both.devices.slice(0, 1) }
    await expect(openKeyring(pretended, phone.own, both)).rejects.toMatchObject({ code: 'log_damaged' })
  })

  it('has devices whose keys people can compare', async () => {
    const [laptop, phone] = [await device('laptop'), await device('phone')]
    expect(fingerprint(laptop.known.publicKey)).toMatch(/^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$/)
    expect(fingerprint(laptop.known.publicKey)).not.toBe(fingerprint(phone.known.publicKey))
    expect(
      await crypto.subtle.exportKey('pkcs8', laptop.own.pair.privateKey).catch(() => 'cannot be read'),
    ).toBe('cannot be read')
  })
})
