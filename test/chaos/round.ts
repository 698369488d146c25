import type { StartOptions } from '@waystone/core'
import type { PorterInput } from './app/agents.ts'
import type { NoteTaker } from './app/notebook.ts'
import type { Neighbour } from './neighbour.ts'
import type { Device, Tab } from './device.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'
import type { Tally } from './tally.ts'

/** A run that a round has started. */
export interface ChaosRun {
  readonly id: string
  readonly input: PorterInput
  /** Messages by their text; true once they were acknowledged. */
  readonly sent: Map<string, boolean>
}

/** What several kills have in common: the runs that live through them, and the device with its tab. */
export interface Round {
  readonly stage: Stage
  readonly random: Random
  readonly tally: Tally
  readonly device: Device
  /** The device has no edge. */
  readonly local: boolean
  /** Where this round's acknowledgements begin among all. */
  readonly since: number
  readonly runs: ChaosRun[]
  /** The session into which the page writes as long as it is there. */
  readonly notebook: string
  /** Another device that writes into it; absent without an edge. */
  readonly colleague?: NoteTaker
  /** Another device that takes runs over; absent without an edge. */
  readonly neighbour?: Neighbour
  tab: Tab
}

/** A run that goes on until it is told to stop. */
export const manyTurns = 1_000_000

let runCount = 0
let messageCount = 0

/** Starts a run. It is durable, and so has to be found, when this resolves. */
export async function startRun(
  round: Round,
  size: { readonly chars: number; readonly turns: number },
  options: StartOptions = {},
): Promise<ChaosRun> {
  runCount += 1
  const id = `run-${String(process.pid)}-${String(runCount)}`
  const run: ChaosRun = {
    id,
    input: { server: round.stage.effects.url, name: id, ...size },
    sent: new Map(),
  }
  await round.tab.ask('start', run.input, { ...options, id })
  round.runs.push(run)
  if (!round.local) round.stage.watch.follow(id)
  return run
}

/** Sends a message. Once this resolves the run has to receive it, exactly once. */
export async function send(round: Round, run: ChaosRun, text = 'news'): Promise<void> {
  messageCount += 1
  const message = text === 'stop' ? text : `${text} ${String(messageCount)}`
  run.sent.set(message, run.sent.get(message) ?? false)
  await round.tab.ask('send', run.id, message, `item-${String(process.pid)}-${String(messageCount)}`)
  run.sent.set(message, true)
}

/** The runs that go on until they are stopped. */
export function lasting(round: Round): readonly ChaosRun[] {
  return round.runs.filter(({ input }) => input.turns === manyTurns)
}

/** Where a run stands that does not move, in words. */
export async function standingOf(
  { tab, neighbour }: Pick<Round, 'tab' | 'neighbour'>,
  run: string,
): Promise<string> {
  const view = JSON.stringify(await tab.ask('view', run))
  return `${view}, now at ${JSON.stringify(await tab.ask('live', run))}; the database ${await tab.ask<string>('database')}; elsewhere ${(await neighbour?.standing(run)) ?? 'nobody'}`
}

/**
 * Does what waits for runs, and does it again in another tab when this one's database lets nobody write: a page or worker of
 * WebKitGTK that is killed in the middle of its transactions may leave it like that (2.50, 2026-11).
 */
export async function unblocked(round: Round, work: (again: boolean) => Promise<void>): Promise<void> {
  try {
    await work(false)
  } catch (error) {
    const { tab, device, tally } = round
    if ((await tab.ask<string>('database')) !== 'is blocked') throw error
    tally.blocked += 1
    await tab.locate()
    tab.killRenderer()
    round.tab = await device.open()
    await work(true)
  }
}
