import type { Digest, RunId } from '../ids.ts'
import { checkBlobSize, type Blobs } from '../ports/blobs.ts'
import { checkInboxRoom, type Inbox, type InboxItem } from '../ports/inbox.ts'
import type { Streams } from '../ports/streams.ts'
import { utf8 } from '../state/digest.ts'

/** Blobs in memory: equal bytes of two runs are kept once. */
export function memoryBlobs(): Blobs {
  const blobs = new Map<Digest, { readonly bytes: Uint8Array; readonly runs: Set<RunId> }>()
  const of = (run: RunId, hash: Digest): Uint8Array | undefined => {
    const blob = blobs.get(hash)
    return blob?.runs.has(run) ? blob.bytes : undefined
  }
  return {
    async put(run, hash, bytes) {
      checkBlobSize(run, bytes)
      const known = blobs.get(hash)
      if (known) known.runs.add(run)
      else blobs.set(hash, { bytes: bytes.slice(), runs: new Set([run]) })
    },
    async get(run, hash) {
      return of(run, hash)?.slice()
    },
    async missing(run, hashes) {
      return hashes.filter((hash) => of(run, hash) === undefined)
    },
    async share(from, to, hashes) {
      for (const hash of hashes) if (of(from, hash)) blobs.get(hash)?.runs.add(to)
      return hashes.filter((hash) => of(to, hash) === undefined)
    },
    async remove(run, hashes) {
      for (const hash of hashes) {
        const blob = blobs.get(hash)
        blob?.runs.delete(run)
        if (blob?.runs.size === 0) blobs.delete(hash)
      }
    },
  }
}

/** An inbox in memory. */
export function memoryInbox(): Inbox {
  const sizes = new WeakMap<InboxItem, number>()
  const items = new Map<RunId, InboxItem[]>()
  return {
    async put(run, item) {
      const waiting = items.get(run) ?? []
      if (waiting.some(({ id }) => id === item.id)) return 'known'
      if (item.type === 'answer' && waiting.some((one) => one.type === 'answer' && one.ask === item.ask))
        return 'taken'
      const all = [...waiting, item]
      sizes.set(item, utf8(JSON.stringify(item)).byteLength)
      const bytes = all.reduce((sum, one) => sum + (sizes.get(one) ?? 0), 0)
      checkInboxRoom(run, item, { items: all.length, bytes })
      items.set(run, all)
      return 'added'
    },
    async list(run) {
      return items.get(run) ?? []
    },
    async remove(run, ids) {
      items.set(
        run,
        (items.get(run) ?? []).filter(({ id }) => !ids.includes(id)),
      )
    },
  }
}

/** Streams in memory. */
export function memoryStreams(): Streams {
  const texts = new Map<string, string>()
  return {
    async append(run, stream, { at, text }) {
      const key = `${run} ${stream}`
      const before = texts.get(key) ?? ''
      if (at <= before.length) texts.set(key, before.slice(0, at) + text)
    },
    async read(run, stream, from) {
      return { at: from, text: (texts.get(`${run} ${stream}`) ?? '').slice(from) }
    },
    async remove(run, streams) {
      for (const stream of streams) texts.delete(`${run} ${stream}`)
    },
  }
}
