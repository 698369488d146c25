import { deleteDB, openDB } from 'idb'

/** A database that is made only to be deleted: no storage has this name, see `openIndexedDb`. */
const passing = 'waystone passing'

/**
 * Has Chromium go on in a new file. Killed in the middle of a write, it leaves the beginning of a record at the end of its
 * log, and when it starts again it writes behind that; the next time it cannot read the log, and deletes all databases of
 * the site ("checksum mismatch", Chromium 156, 2026-11). When a database is deleted it puts what the log has
 * elsewhere and begins another. Other browsers are left alone. Resolves with what it has deleted just now, as `damageOf`.
 */
export async function renewLog(): Promise<string | undefined> {
  // Only Chromium tells of what it has lost.
  if (!('dataLoss' in IDBVersionChangeEvent.prototype)) return undefined
  let damage: string | undefined
  const db = await openDB(passing, 1, {
    upgrade: (made, _from, _to, _tx, event) => {
      damage = damageOf(event)
      made.createObjectStore('none')
    },
    // Another tab deletes it at the same time.
    blocking: (_version, _blocked, event) => (event.target as IDBDatabase).close(),
  })
  db.close()
  await deleteDB(passing)
  return damage
}

/** Chromium tells the first database that is made after it has deleted those of a site, beside the standard. */
export function damageOf(event: Event & { readonly dataLoss?: string; readonly dataLossMessage?: string }) {
  const { dataLoss = 'none', dataLossMessage = '' } = event
  return dataLoss === 'none' ? undefined : `${dataLoss} ${dataLossMessage}`.trim()
}
