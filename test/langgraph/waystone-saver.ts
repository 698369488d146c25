import type { RunnableConfig } from '@langchain/core/runnables'
import {
  BaseCheckpointSaver,
  getCheckpointId,
  maxChannelVersion,
  TASKS,
  WRITES_IDX_MAP,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type PendingWrite,
  type SerializerProtocol,
} from '@langchain/langgraph-checkpoint'
import { fromUtf8, sameValue } from '@waystone/core'
import type { RecordChange, Session } from '@waystone/core/session'
import {
  checkpointKey,
  checkpointsPrefix,
  parseCheckpointKey,
  valueKey,
  writeKey,
  writesPrefix,
} from './saver-keys.ts'
import { ThreadSessions, type Thread, type ThreadOptions } from './thread-sessions.ts'

/** What the serializer made of a value: text where it can be, since that is told shortly when it is like another. */
type Dumped = readonly [type: string, data: string | Uint8Array]

/** A checkpoint as it is kept. */
interface CheckpointRecord {
  /** Without the values of its channels. */
  readonly checkpoint: Dumped
  readonly metadata: Dumped
  readonly parent: string | undefined
  /** Which checkpoint gave each channel the value that it has. */
  readonly values: Readonly<Record<string, string>>
}

interface WriteRecord {
  readonly task: string
  readonly channel: string
  readonly value: Dumped
}

/** A checkpoint of a thread. */
interface Place {
  readonly session: Session<Thread>
  readonly thread: string
  readonly ns: string
  readonly id: string
}

/**
 * Keeps the checkpoints of LangGraph in sessions, one for each thread: a checkpoint, the value of a channel and a write are
 * records, told as what differs from those of the parent. A tree of checkpoints needs no tree: each names its parent.
 */
export class WaystoneSaver extends BaseCheckpointSaver {
  readonly #threads: ThreadSessions

  constructor(options: ThreadOptions, serde?: SerializerProtocol) {
    super(serde)
    this.#threads = new ThreadSessions(options)
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const thread = threadOf(config)
    const session = thread === undefined ? undefined : await this.#threads.find(thread)
    if (thread === undefined || session === undefined) return undefined
    const ns = nsOf(config) ?? ''
    const id = getCheckpointId(config) || newestOf(session, ns)
    return id === undefined ? undefined : this.#tuple({ session, thread, ns, id })
  }

  async *list(
    config: RunnableConfig,
    options: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple, void> {
    const { limit = Infinity, filter } = options
    let count = 0
    for await (const place of this.#places(config, options.before)) {
      if (count >= limit) return
      const record = await this.#record(place)
      if (record === undefined || !(await this.#fits(record, filter))) continue
      count += 1
      yield await this.#tupleOf(place, record)
    }
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const thread = mustThread(config)
    const session = await this.#threads.open(thread)
    const ns = nsOf(config) ?? ''
    const { channel_values: given, ...rest } = checkpoint
    const { id } = checkpoint
    const parent = getCheckpointId(config) || undefined
    const before = parent === undefined ? undefined : await this.#record({ session, thread, ns, id: parent })
    const inherited = before ? await this.#inherited(before, checkpoint, newVersions) : {}
    const changes: RecordChange[] = []
    const values: Record<string, string> = { ...inherited }
    for (const channel of Object.keys(newVersions)) {
      if (!(channel in given)) continue
      const last = before?.values[channel]
      const like = last === undefined ? {} : { like: valueKey(ns, last, channel) }
      changes.push({ key: valueKey(ns, id, channel), value: await this.#dump(given[channel]), ...like })
      values[channel] = id
    }
    const record: CheckpointRecord = {
      checkpoint: await this.#dump(rest),
      metadata: await this.#dump(metadata),
      parent,
      values,
    }
    const like = parent === undefined ? {} : { like: checkpointKey(ns, parent) }
    await session.putAll([...changes, { key: checkpointKey(ns, id), value: record, ...like }])
    return configOf({ thread, ns, id })
  }

  async putWrites(config: RunnableConfig, writes: PendingWrite[], task: string): Promise<void> {
    const thread = mustThread(config)
    const id = getCheckpointId(config)
    if (id === '') throw new Error('to put writes, pass the `checkpoint_id` that they belong to')
    const session = await this.#threads.open(thread)
    const records = session.records()
    const changes: RecordChange[] = []
    for (const [index, [channel, value]] of writes.entries()) {
      const position = WRITES_IDX_MAP[channel] ?? index
      const key = writeKey(nsOf(config) ?? '', id, task, position)
      // A task that is run again has written the same: only special writes are replaced.
      if (position >= 0 && records.has(key)) continue
      changes.push({ key, value: { task, channel, value: await this.#dump(value) } satisfies WriteRecord })
    }
    await session.putAll(changes)
  }

  async deleteThread(thread: string): Promise<void> {
    const session = await this.#threads.find(thread)
    const keys = [...(session?.records().keys() ?? [])]
    await session?.putAll(keys.map((key) => ({ key, delete: true })))
  }

  /** Closes the sessions of all threads. */
  close(): Promise<void> {
    return this.#threads.close()
  }

  /** The checkpoints that a list is of, newest first in each thread. */
  async *#places(config: RunnableConfig, before: RunnableConfig | undefined): AsyncGenerator<Place, void> {
    const wanted = threadOf(config)
    const only = getCheckpointId(config)
    const end = before && getCheckpointId(before)
    for await (const thread of wanted === undefined ? this.#threads.threads() : [wanted]) {
      const session = await this.#threads.find(thread)
      const keys = session?.records().keys({ prefix: checkpointsPrefix(nsOf(config)) }) ?? []
      const found = Array.from(keys, parseCheckpointKey).filter(
        ({ id }) => (!only || id === only) && (!end || id < end),
      )
      found.sort((a, b) => (a.id < b.id ? 1 : -1))
      for (const one of found) if (session) yield { session, thread, ...one }
    }
  }

  async #record({ session, ns, id }: Place): Promise<CheckpointRecord | undefined> {
    return (await session.get(checkpointKey(ns, id))) as CheckpointRecord | undefined
  }

  async #tuple(place: Place): Promise<CheckpointTuple | undefined> {
    const record = await this.#record(place)
    return record && this.#tupleOf(place, record)
  }

  async #tupleOf(place: Place, record: CheckpointRecord): Promise<CheckpointTuple> {
    const { session, thread, ns } = place
    const checkpoint = (await this.#load(record.checkpoint)) as Checkpoint
    checkpoint.channel_values = {}
    for (const [channel, from] of Object.entries(record.values)) {
      const value = (await session.get(valueKey(ns, from, channel))) as Dumped
      checkpoint.channel_values[channel] = await this.#load(value)
    }
    const { parent } = record
    const parentPlace = parent === undefined ? undefined : { ...place, id: parent }
    if (parentPlace && checkpoint.v < 4) await this.#addPendingSends(checkpoint, parentPlace)
    return {
      config: configOf(place),
      checkpoint,
      metadata: (await this.#load(record.metadata)) as CheckpointMetadata,
      pendingWrites: await this.#writes(place),
      ...(parent === undefined ? {} : { parentConfig: configOf({ thread, ns, id: parent }) }),
    }
  }

  async #writes({ session, ns, id }: Place): Promise<CheckpointPendingWrite[]> {
    const writes: CheckpointPendingWrite[] = []
    for await (const { value } of session.range({ prefix: writesPrefix(ns, id) })) {
      const write = value as WriteRecord
      writes.push([write.task, write.channel, await this.#load(write.value)])
    }
    return writes
  }

  /** Before version 4 a checkpoint had what its parent's tasks have sent only as their writes. */
  async #addPendingSends(checkpoint: Checkpoint, parent: Place): Promise<void> {
    const sends = (await this.#writes(parent)).filter(([, channel]) => channel === TASKS)
    const versions = Object.values(checkpoint.channel_versions)
    checkpoint.channel_values[TASKS] = sends.map(([, , value]) => value)
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined)
  }

  /** The values of the parent that a checkpoint still has. */
  async #inherited(
    before: CheckpointRecord,
    { channel_versions: versions }: Checkpoint,
    newVersions: ChannelVersions,
  ): Promise<Readonly<Record<string, string>>> {
    const parent = (await this.#load(before.checkpoint)) as Checkpoint
    const isSame = (channel: string): boolean =>
      !(channel in newVersions) && versions[channel] === parent.channel_versions[channel]
    return Object.fromEntries(Object.entries(before.values).filter(([channel]) => isSame(channel)))
  }

  async #fits({ metadata }: CheckpointRecord, filter: CheckpointListOptions['filter']): Promise<boolean> {
    if (filter === undefined) return true
    const found = (await this.#load(metadata)) as Readonly<Record<string, unknown>>
    return Object.entries(filter).every(([name, value]) => sameValue(found[name], value))
  }

  async #dump(value: unknown): Promise<Dumped> {
    const [type, bytes] = await this.serde.dumpsTyped(value)
    return [type, type === 'json' ? fromUtf8(bytes) : bytes]
  }

  async #load([type, data]: Dumped): Promise<unknown> {
    return this.serde.loadsTyped(type, data)
  }
}

/** The newest checkpoint of a namespace. */
function newestOf(session: Session<Thread>, ns: string): string | undefined {
  const keys = session.records().keys({ prefix: checkpointsPrefix(ns), reverse: true, limit: 1 })
  for (const key of keys) return parseCheckpointKey(key).id
  return undefined
}

function threadOf({ configurable }: RunnableConfig): string | undefined {
  return configurable?.['thread_id'] as string | undefined
}

function mustThread(config: RunnableConfig): string {
  const thread = threadOf(config)
  if (thread === undefined) throw new Error('to keep checkpoints, pass a `thread_id` in `configurable`')
  return thread
}

function nsOf({ configurable }: RunnableConfig): string | undefined {
  return configurable?.['checkpoint_ns'] as string | undefined
}

function configOf({ thread, ns, id }: Pick<Place, 'thread' | 'ns' | 'id'>): RunnableConfig {
  return { configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id } }
}
