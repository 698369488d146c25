import type { RunId } from '../ids.ts'
import type { Cipher, InboxKey } from '../ports/cipher.ts'
import type { InboxContent, InboxItem } from '../ports/inbox.ts'
import { WaystoneError } from '../errors.ts'
import type { Fold } from '../log/fold.ts'
import { keyMissing } from '../log/sealed-body.ts'
import { fromBase64, fromUtf8, toBase64, utf8 } from '../state/digest.ts'
import { inboxItemOf } from '../sync/wire.ts'

/** What may be seen of an item on its way, with the whole of it sealed for the owner of the run. */
export async function sealContent(
  cipher: Pick<Cipher, 'sealItem'>,
  { key, publicKey }: InboxKey,
  { run, id }: { readonly run: RunId; readonly id: string },
  content: InboxContent,
): Promise<InboxContent> {
  const shown = publicContent(content)
  if (shown === content) return content
  const box = await cipher.sealItem(publicKey, itemUse(run, id), utf8(JSON.stringify(content)))
  return { ...shown, sealed: { key, box: toBase64(box) } }
}

/**
 * An item as its sender meant it; as it is when it was not sealed for this run, which nobody can open ever. Rejects with
 * `key_missing` when it was, and the key is not here. One of the run's keys may be of entries that were set aside since.
 */
export async function openItem(
  cipher: Cipher | undefined,
  { run, inbox, sealedWith }: Pick<Fold, 'run' | 'inbox' | 'sealedWith'>,
  item: InboxItem,
): Promise<InboxItem> {
  const { sealed, id, time, by } = item
  // Whoever sends must not be able to stop a run: with a key that it never had, or with one of the run that it is a fork of.
  if (sealed === undefined || cipher?.isOf(sealed.key, run) === false) return item
  if (cipher?.has(sealed.key) !== true) {
    if (!isKeyOf({ inbox, sealedWith }, sealed.key)) return item
    throw keyMissing(run, sealed.key)
  }
  try {
    const plain = await cipher.openItem(sealed.key, itemUse(run, id), fromBase64(sealed.box))
    const opened = inboxItemOf({ ...(JSON.parse(fromUtf8(plain)) as object), id, time, by })
    // What its sender may do was looked at from outside.
    return isSameOutside(item, opened) ? opened : item
  } catch (error) {
    if (error instanceof WaystoneError || error instanceof SyntaxError) return item
    throw error
  }
}

/**
 * An item as whoever owns the run can open it: sealed anew when the key it was sealed for is of entries that were set aside, which the
 * owner has not seen. As it is where it cannot be opened here.
 */
export async function sealedForOwner(
  cipher: Cipher | undefined,
  fold: Fold,
  item: InboxItem,
): Promise<InboxItem> {
  if (!cipher || !fold.inbox || item.sealed === undefined || isKeyOf(fold, item.sealed.key)) return item
  const opened = await openItem(cipher, fold, item)
  if (opened === item) return item
  const { id, time, by, ...content } = opened
  return { ...(await sealContent(cipher, fold.inbox, { run: fold.run, id }, content)), id, time, by }
}

function isKeyOf({ inbox, sealedWith }: Pick<Fold, 'inbox' | 'sealedWith'>, key: string): boolean {
  return inbox?.key === key || sealedWith.includes(key)
}

/** True when an item shows of what it holds what sealing would have left to be seen. */
function isSameOutside(item: InboxItem, { id, time, by, ...content }: InboxItem): boolean {
  const shown = inboxItemOf({ ...publicContent(content), id, time, by })
  return JSON.stringify(shown) === JSON.stringify(inboxItemOf({ ...item, sealed: undefined }))
}

/** What an item is sealed for: no other run, and no other item. */
function itemUse(run: RunId, id: string): string {
  return `waystone inbox 1 ${run} ${id}`
}

/** The same content when nothing of it is secret. */
function publicContent(content: InboxContent): InboxContent {
  switch (content.type) {
    case 'message':
      return { type: 'message', name: 'sealed', value: null }
    case 'answer':
      return { type: 'answer', ask: content.ask, value: null }
    case 'cancel':
      return { type: 'cancel', reason: '', ...(content.undo ? { undo: true } : {}) }
    case 'rewind': {
      const { type, seq, undo, turn, state } = content
      if (state === undefined) return content
      return { type, seq, ...(undo ? { undo } : {}), ...(turn === undefined ? {} : { turn }) }
    }
    case 'decide':
      return content.decision.type === 'again'
        ? content
        : { type: 'decide', start: content.start, decision: { type: 'failed', message: '' } }
    case 'interrupt':
    case 'retry':
      return content
  }
}
