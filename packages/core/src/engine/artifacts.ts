import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import { fromUtf8, utf8 } from '../state/digest.ts'

/** Bytes by their hash, to be fetched when they are needed: plain data that a state may hold. */
export interface Artifact {
  readonly name: string
  readonly type: string
  /** SHA-256 of its bytes, or of the list of its parts; in an encrypted run of what these were sealed into. */
  readonly hash: string
  readonly bytes: number
  /** Set when it is stored in parts of so many bytes, the last one having the rest. */
  readonly part?: number
}

/** An artifact with other bytes from `at` on, which may reach beyond its end. */
export interface ArtifactEdit {
  readonly base: Artifact
  readonly at: number
  readonly bytes: Uint8Array
}

/** Bytes that come piece by piece: a `ReadableStream`, for example. */
export type ByteSource = AsyncIterable<Uint8Array> | ByteStream

/** What of a `ReadableStream` is used: not every engine iterates over one (Safari, 2026-11). */
export interface ByteStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
    cancel?(reason?: unknown): Promise<unknown>
  }
}

/** What an artifact is made of. */
export type ArtifactContent = string | Uint8Array | ByteSource | ArtifactEdit

/** Which bytes: from `from`, default 0, up to before `to`, default the end. */
export interface ByteRange {
  readonly from?: number
  readonly to?: number
}

/** How blobs of the run are stored and fetched. */
export interface ArtifactBlobs {
  /** Stores bytes under a hash: theirs, or in an encrypted run that of the bytes that they are sealed into. */
  putBlob(bytes: Uint8Array): Promise<Digest>
  /** The bytes as they were put; undefined when they are not in reach. Rejects with `log_damaged` for other bytes. */
  getBlob(hash: Digest): Promise<Uint8Array | undefined>
}

/** An artifact that was stored: its handle, and the blobs that it needs. */
export interface StoredArtifact {
  readonly handle: Artifact
  readonly blobs: readonly Digest[]
}

/**
 * Stores bytes, those of large artifacts in parts, of which never more than two are in memory. An edit stores only the
 * parts that it changes. Nothing more is taken and stored once `signal` fires. Rejects with `too_large` for more parts than
 * one entry can name, `blob_missing` when a part of what is edited is not in reach, and `input_refused`.
 */
export async function storeArtifact(
  blobs: ArtifactBlobs,
  {
    name,
    type,
    content,
    part = limits.artifactPartBytes,
    signal,
  }: {
    readonly name: string
    readonly type?: string | undefined
    readonly content: ArtifactContent
    readonly part?: number | undefined
    readonly signal?: AbortSignal
  },
): Promise<StoredArtifact> {
  if (!Number.isSafeInteger(part) || part < 1 || part > limits.blobBytesMax) throw wrongPart(name, part)
  const about = { name, type: type ?? typeOf(content) }
  if (typeof content === 'object' && 'base' in content) return storeEdit(blobs, about, content)
  const parts: Digest[] = []
  let bytes = 0
  for await (const piece of cut(piecesOf(content, signal), part)) {
    if (parts.length === limits.entryBlobsMax) throw tooLarge(name, part)
    parts.push(await blobs.putBlob(piece))
    bytes += piece.byteLength
  }
  const [only] = parts
  if (parts.length > 1) return inParts(blobs, { ...about, bytes, part }, parts)
  const hash = only ?? (await blobs.putBlob(new Uint8Array(0)))
  return { handle: { ...about, hash, bytes }, blobs: [hash] }
}

/**
 * The bytes of a range, newly made: fetched part by part, and checked. Rejects with `blob_missing` for bytes that are not
 * in reach, `log_damaged` for other bytes than were stored.
 */
export async function readArtifact(
  blobs: Pick<ArtifactBlobs, 'getBlob'>,
  artifact: Artifact,
  { from = 0, to = artifact.bytes }: ByteRange = {},
): Promise<Uint8Array> {
  const end = Math.min(to, artifact.bytes)
  const out = new Uint8Array(Math.max(0, end - from))
  const { part = Math.max(1, artifact.bytes) } = artifact
  const parts = await partsOf(blobs, artifact)
  for (let at = from; at < end;) {
    const index = Math.floor(at / part)
    const bytes = await fetched(blobs, artifact, parts[index])
    const piece = bytes.subarray(at - index * part, Math.min(end - index * part, part))
    out.set(piece, at - from)
    at += piece.byteLength
    if (piece.byteLength === 0) throw damaged(artifact, parts[index] ?? artifact.hash)
  }
  return out
}

/** `readArtifact` for the tools of a body. */
export function readerOf(
  blobs: Pick<ArtifactBlobs, 'getBlob'>,
): (artifact: Artifact, range?: ByteRange) => Promise<Uint8Array> {
  return (artifact, range) => readArtifact(blobs, artifact, range)
}

/** The hashes of the blobs that hold an artifact. */
export async function partsOf(
  blobs: Pick<ArtifactBlobs, 'getBlob'>,
  artifact: Artifact,
): Promise<readonly Digest[]> {
  if (artifact.part === undefined) return [artifact.hash as Digest]
  const list: unknown = JSON.parse(fromUtf8(await fetched(blobs, artifact, artifact.hash)))
  const parts: unknown = typeof list === 'object' && list !== null && 'parts' in list ? list.parts : undefined
  if (!Array.isArray(parts)) throw damaged(artifact, artifact.hash)
  return parts as Digest[]
}

async function storeEdit(
  blobs: ArtifactBlobs,
  about: Pick<Artifact, 'name' | 'type'>,
  { base, at, bytes: edit }: ArtifactEdit,
): Promise<StoredArtifact> {
  const bytes = Math.max(base.bytes, at + edit.byteLength)
  const part = base.part ?? limits.artifactPartBytes
  if (!Number.isSafeInteger(at) || at < 0 || at > base.bytes) throw gap(base, at)
  if (Math.ceil(bytes / part) > limits.entryBlobsMax) throw tooLarge(about.name, part)
  const before = await partsOf(blobs, base)
  const parts: Digest[] = []
  for (let from = 0, index = 0; from < bytes; from += part, index += 1) {
    const to = Math.min(from + part, bytes)
    const known = before[index]
    const isWhole = Math.min(base.bytes, from + part) === to
    const isTouched = at < to && at + edit.byteLength > from
    if (known !== undefined && isWhole && !isTouched && (base.part ?? base.bytes) >= to - from) {
      parts.push(known)
      continue
    }
    const piece = new Uint8Array(to - from)
    piece.set(await readArtifact(blobs, base, { from, to: Math.min(to, base.bytes) }))
    const begin = Math.max(at, from)
    if (isTouched) piece.set(edit.subarray(begin - at, Math.min(at + edit.byteLength, to) - at), begin - from)
    parts.push(await blobs.putBlob(piece))
  }
  if (parts.length > 1) return inParts(blobs, { ...about, bytes, part }, parts)
  const hash = parts[0] ?? (base.hash as Digest)
  return { handle: { ...about, hash, bytes }, blobs: [hash] }
}

async function inParts(
  blobs: ArtifactBlobs,
  about: Omit<Artifact, 'hash'>,
  parts: readonly Digest[],
): Promise<StoredArtifact> {
  const hash = await blobs.putBlob(utf8(JSON.stringify({ parts })))
  return { handle: { ...about, hash }, blobs: [...new Set([hash, ...parts])] }
}

async function fetched(
  blobs: Pick<ArtifactBlobs, 'getBlob'>,
  artifact: Artifact,
  hash: string | undefined,
): Promise<Uint8Array> {
  const bytes = hash === undefined ? undefined : await checked(blobs, artifact, hash as Digest)
  if (bytes === undefined) {
    throw new WaystoneError(
      'blob_missing',
      `artifact "${artifact.name}" needs blob ${hash ?? 'of its list of parts'}, which is neither here nor in reach`,
      { details: { hashes: [hash], artifact: artifact.name }, actions: ['retry', 'reload'] },
    )
  }
  return bytes
}

/** The error of a blob with other bytes says which artifact that is. */
async function checked(
  blobs: Pick<ArtifactBlobs, 'getBlob'>,
  artifact: Artifact,
  hash: Digest,
): Promise<Uint8Array | undefined> {
  try {
    return await blobs.getBlob(hash)
  } catch (error) {
    throw isWaystoneError(error, 'log_damaged') ? damaged(artifact, hash) : error
  }
}

function typeOf(content: ArtifactContent): string {
  if (typeof content === 'string') return 'text/plain'
  return 'base' in content ? content.base.type : 'application/octet-stream'
}

async function* piecesOf(
  content: string | Uint8Array | ByteSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  if (typeof content === 'string') yield utf8(content)
  else if (content instanceof Uint8Array) yield content
  else {
    for await (const piece of 'getReader' in content ? readFrom(content) : content) {
      // Left by a throw, a source is told that no more is wanted.
      if (signal?.aborted) throw signal.reason
      yield piece
    }
  }
}

async function* readFrom(stream: ByteStream): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader()
  let isOver = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      isOver = done
      if (done) return
      if (value) yield value
    }
  } finally {
    // One that has failed says so once more.
    if (!isOver) void reader.cancel?.().catch(() => undefined)
  }
}

/** The same bytes in pieces of one size, each in memory of its own or a view of what was given. */
async function* cut(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array, void> {
  let held = new Uint8Array(0)
  let length = 0
  for await (const piece of pieces) {
    let rest = piece
    while (length + rest.byteLength >= size) {
      const take = size - length
      held = grown(held, length, size, size)
      held.set(rest.subarray(0, take), length)
      yield held.subarray(0, size)
      held = new Uint8Array(0)
      length = 0
      rest = rest.subarray(take)
    }
    if (rest.byteLength === 0) continue
    held = grown(held, length, length + rest.byteLength, size)
    held.set(rest, length)
    length += rest.byteLength
  }
  if (length > 0) yield held.subarray(0, length)
}

/**
 * Memory of at least `needed` bytes that begins with the first ones of another. It doubles, up to `most`, so that many
 * small pieces are not copied again and again.
 */
function grown(
  held: Uint8Array<ArrayBuffer>,
  length: number,
  needed: number,
  most: number,
): Uint8Array<ArrayBuffer> {
  if (held.byteLength >= needed) return held
  const out = new Uint8Array(Math.min(most, Math.max(needed, held.byteLength * 2)))
  out.set(held.subarray(0, length))
  return out
}

function damaged(artifact: Artifact, hash: string): WaystoneError {
  return new WaystoneError(
    'log_damaged',
    `blob ${hash} of artifact "${artifact.name}" does not have the bytes its name says`,
    { details: { hashes: [hash], artifact: artifact.name } },
  )
}

function tooLarge(name: string, part: number): WaystoneError {
  return new WaystoneError(
    'too_large',
    `artifact "${name}" has more than ${String(limits.entryBlobsMax)} parts of ${String(part)} bytes: choose a larger \`part\`, up to ${String(limits.blobBytesMax)}`,
  )
}

function wrongPart(name: string, part: number): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `artifact "${name}": expected \`part\` as a whole number of bytes up to ${String(limits.blobBytesMax)}, found ${String(part)}`,
  )
}

function gap(base: Artifact, at: number): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `artifact "${base.name}" has ${String(base.bytes)} bytes: expected an edit that begins at one of them or at their end, found one at ${String(at)}`,
  )
}
