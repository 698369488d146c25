import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTask } from 'node:timers/promises'
import { defineAgent, done, next, Runtime, type OwnerId, type RunStorage } from '@waystone/core'
import { memoryChannels, memoryLocks } from '@waystone/core/memory'
import { nodeClock, nodeRandom, sqliteStorage } from '@waystone/node'
import { beginLog, commitDraft, snapshotterOf } from './_chat-log.ts'
import { growWithLangGraph } from './_growth-langgraph.ts'
import { growPeers } from './_growth-peers.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import { textOf } from './_text.ts'

// A conversation that grows: every turn adds two messages of 1 KB, and every checkpoint is kept. What all of it takes on
// disk beside what was said, and what the last turns cost beside the first: by commits alone, and through the engine; and
// beside what others make of the same conversation, each as near to that as it comes.

const sizes = [400, 4_000, 32_000]
/** Of these, as many as a whole state a turn can be written for. */
const besidePeers = 400
const me = 'bench' as OwnerId
/** The aim of issue "A checkpoint costs what changed". */
const bytesMax = 1.3
/** How much slower the last turns may be than the first ones before this is not flat. */
const slowerMax = 1.5

interface Chat {
  messages: { role: string; text: string }[]
}

interface Grown {
  /** Of each turn, in ms. */
  readonly turns: readonly number[]
  readonly rawBytes: number
}

function messagesOf(turn: number): Chat['messages'] {
  return [
    { role: 'user', text: textOf(2 * turn, 1_000) },
    { role: 'assistant', text: textOf(2 * turn + 1, 1_000) },
  ]
}

/** Commits and snapshots, without an engine. */
async function byCommits(storage: RunStorage, messages: number): Promise<Grown> {
  const log = await beginLog('growth', storage, { messages: [] })
  const snapshotter = snapshotterOf(log, storage, { clock: nodeClock() })
  const turns: number[] = []
  let rawBytes = 0
  for (let turn = 0; turn < messages / 2; turn += 1) {
    const added = messagesOf(turn)
    rawBytes += JSON.stringify(added).length
    const from = performance.now()
    await commitDraft<Chat>(log, (draft) => void draft.messages.push(...added))
    // What is written between the turns belongs to them.
    await snapshotter.settle()
    turns.push(performance.now() - from)
  }
  return { turns, rawBytes }
}

/** An agent whose every turn asks twice, and keeps both answers. */
async function byEngine(storage: RunStorage, messages: number): Promise<Grown> {
  const ends: number[] = []
  let rawBytes = 0
  const chat = defineAgent({
    name: 'chat',
    version: 1,
    retention: 'all',
    initial: () => ({ messages: [] as Chat['messages'] }),
    async turn(ctx, state) {
      const added = await ctx.step('say', () => messagesOf(ctx.turn))
      rawBytes += JSON.stringify(added).length
      state.messages.push(...added)
      ends.push(performance.now())
      return state.messages.length === messages ? done(null) : next()
    },
  })
  const counted = countCalls(storage)
  const runtime = await Runtime.open({
    ...counted.storage,
    store: { ...counted.storage.store, close: () => Promise.resolve() },
    me,
    place: 'browser',
    clock: nodeClock(),
    random: nodeRandom,
    locks: memoryLocks(),
    channel: memoryChannels()(),
    agents: [chat],
  })
  const run = await runtime.start('chat', null, {})
  const ended = Promise.withResolvers<void>()
  await runtime.watch(run, (event) => {
    if (event.type === 'lines' && ends.length === messages / 2) ended.resolve()
  })
  await ended.promise
  // What a run that has ended still has to tidy up is done before anybody would close it.
  await counted.quiet()
  await runtime.close()
  return { turns: ends.slice(1).map((end, index) => end - (ends[index] ?? end)), rawBytes }
}

/** A storage that knows when nobody has called it for a while. */
function countCalls(storage: RunStorage): { readonly storage: RunStorage; quiet(): Promise<void> } {
  let [calls, open] = [0, 0]
  const counting = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return (...args: unknown[]): unknown => {
          calls += 1
          const result: unknown = Reflect.apply(method, target, args)
          if (!(result instanceof Promise)) return result
          open += 1
          return result.finally(() => (open -= 1))
        }
      },
    })
  const ports = Object.entries(storage).map(([name, port]) => [name, counting(port as object)])
  return {
    storage: Object.fromEntries(ports) as RunStorage,
    async quiet() {
      for (let tasks = 0; tasks < 100; tasks += 1) {
        const before = calls
        await nextTask()
        if (calls !== before || open > 0) tasks = 0
      }
    },
  }
}

/** What a conversation took on disk, and its first and last turns. */
function besideRaw(turns: readonly number[], diskBytes: number, rawBytes: number) {
  const share = Math.min(100, Math.floor(turns.length / 4))
  return {
    diskBytes,
    ratio: round(diskBytes / rawBytes),
    firstMs: round(quantile(turns.slice(0, share), 0.5)),
    lastMs: round(quantile(turns.slice(-share), 0.5)),
  }
}

const folder = await mkdtemp(join(tmpdir(), 'waystone-growth-'))
const figures: {
  way: string
  messages: number
  rawBytes: number
  diskBytes: number
  ratio: number
  firstMs: number
  lastMs: number
}[] = []
for (const [way, grow] of Object.entries({ commits: byCommits, engine: byEngine })) {
  for (const messages of sizes) {
    const file = join(folder, `${way}-${String(messages)}.sqlite`)
    const storage = sqliteStorage(file)
    const { turns, rawBytes } = await grow(storage, messages)
    await storage.store.close()
    const { size: diskBytes } = await stat(file)
    figures.push({ way, messages, rawBytes, ...besideRaw(turns, diskBytes, rawBytes) })
  }
}
const langGraph = await growWithLangGraph(join(folder, 'langgraph.sqlite'), besidePeers, messagesOf)
await rm(folder, { recursive: true })

const rawOf = (messages: number): number =>
  Array.from({ length: messages / 2 }, (_, turn) => JSON.stringify(messagesOf(turn)).length).reduce(
    (sum, bytes) => sum + bytes,
  )
const peers = [
  {
    name: "LangGraph.js's SQLite saver",
    keeps: 'every checkpoint, each of them whole',
    recordsToRaw: undefined,
    ...besideRaw(langGraph.turns, langGraph.diskBytes, rawOf(besidePeers)),
  },
  ...(await growPeers(besidePeers)).map(({ name, keeps, turns, rawBytes, recordBytes, diskBytes }) => ({
    name: `${name}, Chromium`,
    keeps,
    recordsToRaw: round(recordBytes / rawBytes),
    ...besideRaw(turns, diskBytes, rawBytes),
  })),
]

const aims: Aim[] = figures.flatMap(({ way, messages, ratio, firstMs, lastMs }) => [
  atMost(`${way}, ${String(messages)} messages: bytes on disk beside those said`, ratio, bytesMax, 'x'),
  atMost(
    `${way}, ${String(messages)} messages: a turn at the end beside one at the beginning`,
    lastMs / firstMs,
    slowerMax,
    'x',
  ),
])
const said = (ms: { readonly firstMs: number; readonly lastMs: number }): string =>
  `a turn ${ms.firstMs.toFixed(2)} ms at first, ${ms.lastMs.toFixed(2)} ms at the end`
report(
  [
    ...figures.map(
      (one) =>
        `${one.way.padEnd(8)} ${String(one.messages).padStart(6)} messages  ${(one.diskBytes / 1e6).toFixed(2).padStart(7)} MB of ${(one.rawBytes / 1e6).toFixed(2)} MB said (${one.ratio.toFixed(2)}x)  ${said(one)}`,
    ),
    `${String(besidePeers)} messages beside others:`,
    ...peers.map(
      (one) =>
        `${one.name.padEnd(28)} disk ${one.ratio.toFixed(2).padStart(6)}x  records ${(one.recordsToRaw?.toFixed(2) ?? '-').padStart(6)}x  ${said(one)}  keeps ${one.keeps}`,
    ),
  ],
  { name: 'growth', figures, peers, aims },
)
