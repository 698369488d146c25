import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startBareEdge } from '../harness/bare-edge.ts'
import { launchEngine, type ChromiumPage } from '../harness/engines.ts'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { followLog, type EntryLog } from './_entry-log.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import { servePage } from './_serve-page.ts'
import type { Moved } from './pages/move-page.ts'

// How long a live run stands still when it is moved: from the last entry of its source to the first entry of its target,
// by the times of the entries; all clocks are this machine's. Each browser is a Chromium with a profile and a network of its
// own, which asks the edge as a page of another origin; the edge is a workerd in Miniflare. The claim, which the edge
// writes, is not an entry of the target: the run goes on with the first record that the target's own host adds. Of the few
// moves that there is time for, the p99 is mostly the longest: `--rounds 100` has more, and takes an hour. How many there were
// is told: with a long delay few.

/** The aim of the issue about the edge: so many ways and this on top, in ms. */
const slackMs = 20
const ways = { 'browser to edge': 1, 'edge to browser': 1, 'browser to browser': 2 } as const
type Kind = keyof typeof ways

const { values: args } = parseArgs({
  options: { rounds: { type: 'string' }, json: { type: 'boolean' }, keep: { type: 'boolean' } },
})
/** Rounds of moves of one run, and how long they may take together, in ms; with `--rounds` as long as they take. */
const rounds = Number(args.rounds ?? 40)
const laneMsMaxOf = (delayMs: number): number => (args.rounds === undefined ? 8_000 + 40 * delayMs : Infinity)
/** The part of that which is left to moves between two browsers, which mostly take several attempts. */
const betweenShare = 0.35
const delaysMs = [0, 50, 200]
/**
 * How long a step takes, in ms: eight ways and more. A run that has entries more often than a browser can ask for its head
 * (four ways with the preflight, and its pushes come two ways apart) is not moved there before it stands still by itself.
 */
const tickMsOf = (delayMs: number): number => 100 + 8 * delayMs
const statesMb = [1, 20]
/** How often a move is asked for again that was refused. */
const triesMax = 3
const moveMsMax = 10_000
/** How long a run may take to go on after a move, and a new one to reach the edge. */
const goOnMsMax = 20_000
const startMsMax = 60_000
/** The owner is a browser that does not hand over: it was refused, and taken by force. */
let mustForce = false

const token = 'a-secret-of-the-benchmark'
const site = await servePage('move')
const edge = await startBareEdge(join(import.meta.dirname, 'edge-app/wrangler.toml'), {
  TOKEN: token,
  ORIGINS: site.url,
})
const devices = [await openDevice(), await openDevice()] as const

const figures: Awaited<ReturnType<typeof lane>>[number][] = []
try {
  for (const stateMb of statesMb)
    for (const delayMs of delaysMs) figures.push(...(await lane(stateMb, delayMs)))
} finally {
  for (const device of devices) await device.close()
  await edge.close()
  await site.close()
}

const aims: Aim[] = figures.map(({ kind, stateMb, delayMs, downMs }) =>
  atMost(
    `${kind}, ${String(delayMs)} ms of delay, ${String(stateMb)} MB of state`,
    downMs.p50,
    ways[kind] * delayMs + slackMs,
    'ms',
  ),
)
report(figures.map(lineOf), { name: 'move', figures, aims })

interface Device {
  readonly id: string
  readonly tab: ChromiumPage
  readonly network: LossyProxy
  /** Loads the page anew. */
  open(): Promise<void>
  close(): Promise<void>
}

async function openDevice(): Promise<Device> {
  const profileDir = await mkdtemp(join(tmpdir(), 'waystone-bench-'))
  const engine = await launchEngine('chromium', { profileDir })
  const network = await startLossyProxy(() => edge.url)
  const tab = await engine.newPage()
  const open = async (): Promise<void> => {
    await tab.goto(`${site.url}/?edge=${encodeURIComponent(network.url)}&token=${token}`)
    await tab.waitFor('globalThis.mover !== undefined')
  }
  await open()
  return {
    id: await tab.evaluate('mover.device()'),
    tab,
    network,
    open,
    async close() {
      await engine.close()
      await network.close()
      await rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** What an expression gives in the page of a device. Rejects when that takes too long. */
async function ask<T>({ tab }: Device, expression: string): Promise<T> {
  const stop = new AbortController()
  const late = sleep(startMsMax, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`no answer to ${expression}`)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([tab.evaluate<T>(expression), late])
  } finally {
    stop.abort()
  }
}

/** All moves of one run, at one size and one delay. */
async function lane(stateMb: number, delayMs: number) {
  const run = `move-${String(stateMb)}-${String(delayMs)}`
  const [one, other] = devices
  // Fresh pages: nothing is left of the moves of another lane.
  for (const { network, open } of devices) {
    network.delay(0)
    await open()
  }
  await ask(one, `mover.start('${run}', ${String(stateMb * 1e6)}, ${String(tickMsOf(delayMs))})`)
  const log = followLog(edge.url, token, run)
  const times: Record<Kind, Down[]> = {
    'browser to edge': [],
    'edge to browser': [],
    'browser to browser': [],
  }
  const failed: Record<Kind, string[]> = {
    'browser to edge': [],
    'edge to browser': [],
    'browser to browser': [],
  }
  let [owner, guest] = [one, other]
  let kind: Kind = 'browser to edge'
  const moveOn = async (next: Kind, device: Device, to: 'edge' | 'here'): Promise<boolean> => {
    kind = next
    const moved = await move(log, run, device, to, kind === 'browser to browser')
    if (typeof moved === 'string') failed[kind].push(moved)
    else times[kind].push(moved)
    return typeof moved !== 'string'
  }
  try {
    await log.works(one.id, -1, startMsMax)
    for (const device of devices) await ask(device, `mover.reached('${run}', 4)`)
    for (const { network } of devices) network.delay(delayMs)
    const from = performance.now()
    const isTime = (share: number): boolean => performance.now() - from < laneMsMaxOf(delayMs) * share
    for (let number = 0; number < rounds && isTime(1 - betweenShare); number += 1) {
      await moveOn('browser to edge', owner, 'edge')
      await moveOn('edge to browser', owner, 'here')
    }
    for (let number = 0; number < rounds && isTime(1); number += 1)
      if (await moveOn('browser to browser', guest, 'here')) [owner, guest] = [guest, owner]
  } catch (error) {
    // Nobody knows where the run is by now: the figures of this lane are those until here.
    failed[kind].push(error instanceof Error ? error.message : String(error))
  }
  for (const { network } of devices) network.delay(0)
  const aside = devices.map((device) => ask<number>(device, `mover.setAside('${run}')`).catch(() => 0))
  const setAside = await Promise.all(aside)
  await ask(owner, `mover.cancel('${run}')`).catch(() => undefined)
  log.close()
  return (Object.keys(ways) as Kind[]).map((kind) => ({
    kind,
    stateMb,
    delayMs,
    moves: times[kind].length,
    downMs: quantiles(times[kind].map(({ downMs }) => downMs)),
    claimMs: quantiles(times[kind].map(({ claimMs }) => claimMs)),
    requests: quantile(
      times[kind].map(({ requests }) => requests),
      0.5,
    ),
    preflights: quantile(
      times[kind].map(({ preflights }) => preflights),
      0.5,
    ),
    forced: times[kind].filter(({ forced }) => forced).length,
    failed: failed[kind],
    ...(kind === 'browser to browser' ? { setAside: setAside.reduce((sum, lines) => sum + lines, 0) } : {}),
  }))
}

/** One move as the log has it. */
interface Down {
  /** From the last entry of the source to the first of the target. */
  readonly downMs: number
  /** From the last entry of the source to the claim. */
  readonly claimMs: number
  /** Of the device that moved, while `move` was under way, and those of them that only asked whether it may ask. */
  readonly requests: number
  readonly preflights: number
  readonly forced: boolean
}

/** Moves a run that is at work; why it was not moved, when it was refused again and again. */
async function move(
  log: EntryLog,
  run: string,
  device: Device,
  to: 'edge' | 'here',
  isTaken: boolean,
): Promise<Down | string> {
  let moved: Moved = {}
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const forced = isTaken && (mustForce || moved.code === 'move_refused')
    let [requests, preflights] = [0, 0]
    device.network.decide((_, { method }) => {
      requests += 1
      if (method === 'OPTIONS') preflights += 1
      return 'pass'
    })
    const before = log.last()
    // Whoever asks for a run looks at it: as fast as this script the device has not even heard of the move before.
    await ask(device, `mover.reached('${run}', ${String(before)})`)
    moved = await ask<Moved>(device, `mover.move('${run}', '${to}', ${String(forced)}, ${String(moveMsMax)})`)
    const counts = { requests, preflights, forced }
    // It may still be moved, so that what comes then would not be known.
    if (moved.code === 'late') throw new Error(`${run}: ${moved.message ?? ''}`)
    if (moved.code !== undefined) continue
    mustForce ||= forced
    const target = to === 'edge' ? 'edge' : device.id
    const { source, claim, first } = await log.works(target, before, goOnMsMax)
    return { downMs: first.time - source.time, claimMs: claim.time - source.time, ...counts }
  }
  return `${moved.code ?? ''}: ${moved.message ?? ''}`
}

interface Quantiles {
  readonly p50: number
  readonly p99: number
}

function quantiles(times: readonly number[]): Quantiles {
  return { p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) }
}

function lineOf({ kind, delayMs, stateMb, moves, ...one }: (typeof figures)[number]): string {
  const { p50, p99 } = one.downMs
  const what = `${kind.padEnd(18)} ${String(delayMs).padStart(3)} ms  ${String(stateMb).padStart(2)} MB  ${String(moves).padStart(3)} moves`
  const took =
    `  down ${p50.toFixed(0)} ms (p99 ${p99.toFixed(0)})  until the claim ${one.claimMs.p50.toFixed(0)} ms  ` +
    `${String(one.requests)} requests, ${String(one.preflights)} of them preflights, ${String(one.forced)} forced`
  const [first] = one.failed
  const failed = first === undefined ? '' : `  NOT MOVED: ${String(one.failed.length)} (${first})`
  return what + (moves > 0 ? took : '') + failed
}
