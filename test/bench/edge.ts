import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { parseArgs } from 'node:util'
import { browserRandom, edgeClient } from '@waystone/browser'
import { joinLines, parseOwnerId } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { openSession } from '@waystone/core/session'
import { nodeClock } from '@waystone/node'
import { startLastingEdge } from '../harness/lasting-edge.ts'
import { startLossyProxy } from '../harness/lossy-proxy.ts'
import { costOf } from './_edge-cost.ts'
import { measureRun } from './_edge-run.ts'
import { PushedRun, pusher } from './_pushed-run.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import { textOf } from './_text.ts'
import { counted, startWire } from './_wire.ts'

// Thousands of runs at one workerd in Miniflare: appends to all of them as fast as they go, entries on their way to
// followers, what a sync takes on the wire, and what a checkpoint takes of what Cloudflare bills. The clients
// and workerd share this machine, so that appends a second are those of all of them together.

/** The aims of the issue about the edge. */
const requestsMax = 1
const wireMax = 1.1
/** The aims of issue "A checkpoint costs what changed". */
const rowsAnAppendMax = 1
const rowsAStepMax = 1.5
const idleRowsMax = 0
/** How much slower an append may be behind so many messages before its time is not constant. */
const longMessages = 32_000
const slowerMax = 1.5

const options = {
  runs: { type: 'string', default: '2000' },
  seconds: { type: 'string', default: '20' },
  clients: { type: 'string', default: '16' },
  json: { type: 'boolean' },
  keep: { type: 'boolean' },
} as const
const { values: args } = parseArgs({ options })
const [runCount, seconds, clients] = [Number(args.runs), Number(args.seconds), Number(args.clients)]
const followerCounts = [1, 10, 100]
const followRounds = 100
const gathered = 25
const costPushes = 500

const token = 'a-secret-of-the-benchmark'
const edge = await startLastingEdge({
  config: join(import.meta.dirname, 'edge-app/wrangler.toml'),
  vars: { TOKEN: token, ORIGINS: 'http://localhost' },
})
const { url } = edge.process
const wire = await startWire(url)
const clientOf = (at: string, device: string) => edgeClient({ url: at, token: () => token }, device)
const { remote } = clientOf(url, pusher)

const throughput = await appendToAll()
const followed: Awaited<ReturnType<typeof follow>>[] = []
for (const count of followerCounts) followed.push(await follow(count))
const synced = await syncGathered()
const onTheWire = []
for (const count of [1, 20, 100]) onTheWire.push(await measureWire(count))
const costs = [
  await measureCost('1 entry a push', 'offer', 1),
  await measureCost('1 entry a push, watched', 'edge', 1),
  await measureCost('20 entries a push', 'offer', 20),
  await measureSessionCost(),
]
const wholeRun = await measureRun({ url, wire, token })
const long = await measureLong()
await wire.close()
await edge.close()

const aims: Aim[] = [
  atMost('rows an append', costs[0]?.each.rowsWritten ?? Infinity, rowsAnAppendMax, 'rows'),
  atMost('rows a step, of a run of 20 in all', wholeRun.each.rowsWritten, rowsAStepMax, 'rows'),
  atMost(
    'rows an hour of a run that waits for a person',
    wholeRun.idle.alarm === null ? wholeRun.idle.rows * (3_600 / wholeRun.idle.seconds) : Infinity,
    idleRowsMax,
    'rows',
  ),
  atMost(
    `an append behind ${String(longMessages)} messages beside one behind none`,
    long.lastMs.p50 / long.firstMs.p50,
    slowerMax,
    'x',
  ),
  atMost('sync of 20 entries and more: one round trip', synced.requests, requestsMax, 'requests'),
  // One entry is smaller than its own headers.
  ...onTheWire
    .filter(({ entries }) => entries >= 20)
    .map(({ entries, ratio }) =>
      atMost(
        `bytes on the wire beside the deflated bodies, ${String(entries)} entries a push`,
        ratio,
        wireMax,
        'x',
      ),
    ),
]
report(
  [
    `${String(runCount)} runs begun in ${throughput.beginSeconds.toFixed(1)} s; ${String(clients)} clients: ` +
      `${throughput.appendsASecond.toFixed(0)} appends a second, one takes ${ms(throughput.appendMs)}, workerd has ${throughput.memoryMb.toFixed(0)} MB`,
    ...followed.map(
      ({ followers, lastMs }) =>
        `${String(followers).padStart(4)} followers: the last hears after ${ms(lastMs)}`,
    ),
    `${String(synced.entries)} gathered entries: ${String(synced.requests)} requests; back from offline with ${String(synced.entries)}: ${String(synced.fromOffline)}`,
    ...onTheWire.map(
      ({ entries, lineBytes, deflatedBytes, sentBytes, receivedBytes, ratio }) =>
        `${String(entries).padStart(4)} entries a push: ${String(sentBytes)} B sent, ${String(receivedBytes)} B back; lines ${String(lineBytes)} B, deflated ${String(deflatedBytes)} B: ${ratio.toFixed(2)}x`,
    ),
    `${'a checkpoint'.padEnd(26)} requests  rows written  rows read  bytes sent  bytes stored  $ a million`,
    ...[...costs, wholeRun].map(
      ({ what, each, dollars }) =>
        `${what.padEnd(26)} ${each.requests.toFixed(2).padStart(8)}  ${each.rowsWritten.toFixed(2).padStart(12)}  ${each.rowsRead.toFixed(1).padStart(9)}  ` +
        `${each.sentBytes.toFixed(0).padStart(10)}  ${each.storedBytes.toFixed(0).padStart(12)}  ${dollars.all.toFixed(2).padStart(11)}  (${tablesOf(each.written)})`,
    ),
    `a run that waits for a person: ${String(wholeRun.idle.rows)} rows in ${String(wholeRun.idle.seconds)} s, ${wholeRun.idle.alarm === null ? 'no alarm set' : 'an alarm set'}`,
    `an append takes ${ms(long.firstMs)} behind nothing, ${ms(long.lastMs)} behind ${String(longMessages)} messages`,
  ],
  {
    name: 'edge',
    runs: runCount,
    clients,
    throughput,
    followed,
    synced,
    onTheWire,
    costs,
    wholeRun,
    long,
    aims,
  },
)

/** Begins all runs, then appends to one after the other by each client, as fast as it goes. */
async function appendToAll() {
  const runs = Array.from({ length: runCount }, (_, number) => new PushedRun(`run-${String(number)}`))
  const beganAt = performance.now()
  await byClients(async (client) => {
    for (let at = client; at < runs.length; at += clients) await runs[at]?.begin(remote)
  })
  const beginSeconds = (performance.now() - beganAt) / 1_000
  const times: number[] = []
  const from = performance.now()
  await byClients(async (client) => {
    for (let at = client; performance.now() - from < seconds * 1_000; at += clients) {
      // No two clients have a run in common: each is appended to by one at a time, as an owner does.
      const run = runs[at < runs.length ? at : (at = client)]
      const began = performance.now()
      await run?.push(remote, 1)
      times.push(performance.now() - began)
    }
  })
  const tookSeconds = (performance.now() - from) / 1_000
  return {
    beginSeconds: round(beginSeconds),
    beginsASecond: round(runCount / beginSeconds),
    appends: times.length,
    appendsASecond: round(times.length / tookSeconds),
    appendMs: quantiles(times),
    memoryMb: round(edge.process.memory() / 2 ** 20),
  }
}

/** How long an entry takes from its push to the last of so many followers. */
async function follow(followers: number) {
  const run = new PushedRun(`followed-by-${String(followers)}`)
  await run.begin(remote)
  let seen = new Set<number>()
  let allSaw = Promise.withResolvers<number>()
  const online = new Set<number>()
  const allOnline = Promise.withResolvers<void>()
  const follows = Array.from({ length: followers }, (_, number) => {
    const device = `follower-${String(number)}`
    return clientOf(url, device).remote.follow(run.id, {
      as: parseOwnerId(device),
      from: () => 1,
      onEvent(event) {
        if (event.type !== 'lines') return
        seen.add(number)
        if (seen.size === followers) allSaw.resolve(performance.now())
      },
      onState(isOnline) {
        if (isOnline && online.add(number).size === followers) allOnline.resolve()
      },
    })
  })
  await allOnline.promise
  const times: number[] = []
  for (let turn = 0; turn < followRounds; turn += 1) {
    seen = new Set()
    allSaw = Promise.withResolvers()
    const from = performance.now()
    await run.push(remote, 1)
    times.push((await allSaw.promise) - from)
  }
  for (const one of follows) one.close()
  return { followers, lastMs: quantiles(times) }
}

/** How many requests a device makes that has entries to sync: gathered while one was under way, and while offline. */
async function syncGathered() {
  const slow = await startLossyProxy(() => url)
  const counting = await startWire(slow.url)
  const session = await openSession({
    ...{ id: 'gathered', me: 'laptop', initial: { note: '' } },
    ...{ storage: memoryStorage(), clock: nodeClock(), random: browserRandom },
    edge: clientOf(counting.url, 'laptop'),
  })
  const save = async (count: number): Promise<void> => {
    for (let number = 0; number < count; number += 1)
      await session.update((draft) => void (draft.note = textOf(number, 650)))
  }
  await save(1)
  await session.synced()
  // While the first of these is on its way the others gather.
  slow.delay(500)
  const ofFirst = 1
  const { requests } = await counted(counting, async () => {
    await save(ofFirst + gathered)
    await session.synced()
  })
  slow.delay(0)
  slow.cut()
  await save(gathered)
  const { requests: fromOffline } = await counted(counting, async () => {
    slow.mend()
    await session.synced()
  })
  await session.close()
  await counting.close()
  await slow.close()
  return { entries: gathered, requests: requests - ofFirst, fromOffline }
}

/** What a push is on the wire, with all its headers, beside its lines deflated. */
async function measureWire(entries: number) {
  const run = new PushedRun(`wire-${String(entries)}`)
  const { remote: wired } = clientOf(wire.url, pusher)
  await run.begin(wired)
  const base = run.head
  const lines = run.next(entries)
  const body = joinLines(lines)
  const { requests, sent, received } = await counted(wire, () => wired.push(run.id, { base, lines }))
  const deflatedBytes = deflateRawSync(body).byteLength
  return {
    entries,
    requests,
    lineBytes: body.byteLength,
    deflatedBytes,
    sentBytes: sent,
    receivedBytes: received,
    ratio: round(sent / deflatedBytes),
  }
}

/** What Cloudflare would bill of pushes of so many entries. `edge` has the edge watch over the owner, by an alarm. */
async function measureCost(what: string, whenGone: 'offer' | 'edge', entries: number) {
  const run = new PushedRun(`counted-${whenGone}-${String(entries)}`)
  const { remote: wired } = clientOf(wire.url, pusher)
  await run.begin(wired, whenGone)
  const pushes = Math.ceil(costPushes / entries)
  return costOf({ url, wire, what, run: run.id, checkpoints: pushes * entries }, async () => {
    for (let number = 0; number < pushes; number += 1) await run.push(wired, entries)
  })
}

/** The same for what the SDK sends by itself: a session that is saved and synced again and again. */
async function measureSessionCost() {
  const session = await openSession({
    ...{ id: 'counted-session', me: 'laptop', initial: { note: '' } },
    ...{ storage: memoryStorage(), clock: nodeClock(), random: browserRandom },
    edge: clientOf(wire.url, 'laptop'),
  })
  await session.synced()
  const counting = { url, wire, what: 'a session, saved, synced', run: session.id, checkpoints: costPushes }
  const cost = await costOf(counting, async () => {
    for (let number = 0; number < costPushes; number += 1) {
      await session.update((draft) => void (draft.note = textOf(number, 650)))
      await session.synced()
    }
  })
  await session.close()
  return cost
}

/** Single appends to a run that has nothing yet, and to the same one behind tens of thousands of messages. */
async function measureLong() {
  const run = new PushedRun('long')
  await run.begin(remote)
  const single = async (): Promise<Quantiles> => {
    const times: number[] = []
    for (let number = 0; number < 200; number += 1) {
      const from = performance.now()
      await run.push(remote, 1)
      times.push(performance.now() - from)
    }
    return quantiles(times)
  }
  const firstMs = await single()
  for (let count = 0; count < longMessages; count += 500) await run.push(remote, 500)
  return { messages: longMessages, firstMs, lastMs: await single() }
}

async function byClients(work: (client: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)))
}

interface Quantiles {
  readonly p50: number
  readonly p99: number
}

function quantiles(times: readonly number[]): Quantiles {
  return { p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) }
}

function ms({ p50, p99 }: Quantiles): string {
  return `${p50.toFixed(1)} ms (p99 ${p99.toFixed(1)})`
}

function tablesOf(written: Readonly<Record<string, number>>): string {
  return Object.entries(written)
    .map(([name, rows]) => `${name} ${String(rows)}`)
    .join(', ')
}
