import { openDB } from 'idb'

/** The bytes of all keys and values in the databases of this origin: text in UTF-8, numbers as eight. */
export async function recordBytes(): Promise<number> {
  let bytes = 0
  for (const { name } of await indexedDB.databases()) {
    if (name === undefined) continue
    const db = await openDB(name)
    for (const store of db.objectStoreNames)
      for (
        let cursor = await db.transaction(store).store.openCursor();
        cursor;
        cursor = await cursor.continue()
      )
        bytes += weigh(cursor.key) + weigh(cursor.value)
    db.close()
  }
  return bytes
}

const encoder = new TextEncoder()

function weigh(value: unknown): number {
  if (typeof value === 'string') return encoder.encode(value).byteLength
  if (typeof value === 'number') return 8
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength
  if (value instanceof Blob) return value.size
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + weigh(item), 0)
  if (typeof value !== 'object' || value === null) return 1
  return Object.entries(value).reduce((sum, [name, item]) => sum + name.length + weigh(item), 0)
}
