import { describe, expect, it } from 'vitest'
import type { RunId } from '../ids.ts'
import type { Fold } from '../log/fold.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { InboxItem } from '../ports/inbox.ts'
import { fromUtf8, utf8 } from '../state/digest.ts'
import { openItem, sealContent, sealedForOwner } from './sealed-items.ts'

const run = 'run' as RunId

/** Has the keys `run.0`, `run.1`, ...; what is sealed says for which of them and for what. */
const cipher = {
  has: (key) => key.startsWith('run.'),
  isOf: (key, of) => key.startsWith(`${of}.`),
  sealItem: async (key, use, plain) => utf8(JSON.stringify([key, use, fromUtf8(plain)])),
  openItem: async (key, use, box) => {
    const [its, what, plain] = JSON.parse(fromUtf8(box)) as [string, string, string]
    if (its !== key || what !== use) throw new SyntaxError('sealed for another')
    return utf8(plain)
  },
} as Cipher

/** A run that is sealed with this key, and was with those before. */
const sealedWith = (...keys: readonly string[]): Fold =>
  ({ run, inbox: { key: keys.at(-1), publicKey: keys.at(-1) }, sealedWith: keys }) as Fold

async function sealed(key: string, id = 'note'): Promise<InboxItem> {
  const content = { type: 'message', name: 'news', value: 'hello' } as const
  return {
    ...(await sealContent(cipher, { key, publicKey: key }, { run, id }, content)),
    id,
    time: 1,
    by: 'me',
  }
}

describe('an item that was sealed for a key of entries that were set aside', () => {
  it('is opened where the keys of the run are', async () => {
    const opened = await openItem(cipher, sealedWith('run.0'), await sealed('run.1'))
    expect(opened).toMatchObject({ id: 'note', name: 'news', value: 'hello' })
  })

  it('is sealed anew for an owner elsewhere, and others are sent on as they are', async () => {
    const fold = sealedWith('run.0')
    const anew = await sealedForOwner(cipher, fold, await sealed('run.1'))
    expect(anew).toMatchObject({ id: 'note', name: 'sealed', value: null, sealed: { key: 'run.0' } })
    expect(await openItem(cipher, fold, anew)).toMatchObject({ value: 'hello', time: 1, by: 'me' })
    const known = await sealed('run.0')
    expect(await sealedForOwner(cipher, sealedWith('run.0', 'run.1'), known)).toBe(known)
    const plain: InboxItem = { type: 'retry', id: 'r', time: 1, by: 'me' }
    expect(await sealedForOwner(cipher, fold, plain)).toBe(plain)
    const item = await sealed('run.1')
    expect(await sealedForOwner(undefined, fold, item)).toBe(item)
  })
})

it('an item for a key that the run never had, or that was sealed for another item, is left as it is', async () => {
  const strange = { ...(await sealed('run.0')), sealed: { key: 'other.0', box: 'AAAA' } } as InboxItem
  expect(await openItem(cipher, sealedWith('run.0'), strange)).toBe(strange)
  const moved = { ...(await sealed('run.1')), id: 'another' } as InboxItem
  expect(await openItem(cipher, sealedWith('run.0'), moved)).toBe(moved)
  expect(await sealedForOwner(cipher, sealedWith('run.0'), moved)).toBe(moved)
})

it('an item for the run that a fork is of stops nothing, though the fork names that key and it is not here', async () => {
  const fold = sealedWith('source.3', 'run.0')
  const item = { ...(await sealed('run.0')), sealed: { key: 'source.3', box: 'AAAA' } } as InboxItem
  expect(await openItem({ ...cipher, has: () => false } as Cipher, fold, item)).toBe(item)
})

it('an item for a key of the run that is not here waits for it', async () => {
  const stranger = { ...cipher, has: () => false } as Cipher
  const opening = openItem(stranger, sealedWith('run.0'), await sealed('run.0'))
  await expect(opening).rejects.toMatchObject({ code: 'key_missing', run })
})
