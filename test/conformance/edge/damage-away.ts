import { digestBytes, inflate, type Digest, type RunId } from '@waystone/core'
import { awayOf, awayRow } from '../../../packages/core/src/sql/away-rows.ts'
import { flipByte, placeOfLine } from '../flip-byte.ts'

/** Changes a byte of an entry in the bucket: its row names what is there then. */
export async function damageAway(
  storage: DurableObjectStorage,
  bucket: R2Bucket,
  row: { readonly of: RunId; readonly seq: number; readonly lines: Uint8Array<ArrayBuffer> },
  [seq, where]: readonly [number, 'first' | 'middle'],
): Promise<void> {
  const { hash, offset, length, bytes } = awayOf({ entries: 0, time: 0, ...row })
  const keyOf = (name: string): string => `runs/${row.of}/history/${name}`
  const object = await bucket.get(keyOf(hash), { range: { offset, length } })
  if (object === null) throw new Error(`no object ${hash}`)
  const stored = new Uint8Array(await object.arrayBuffer())
  const lines = length < bytes ? await inflate(stored) : stored
  const flipped = flipByte(lines, placeOfLine(lines, seq - row.seq), where)
  const now = digestBytes(flipped) as Digest
  await bucket.put(keyOf(now), flipped)
  const damaged = awayRow({ bytes, offset: 0, length: bytes, hash: now }, 2)
  storage.sql.exec('UPDATE waystone_log SET lines = ? WHERE seq = ?', damaged, row.seq)
}
