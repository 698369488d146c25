import { parseLine, utf8 } from '@waystone/core'
import { poll } from '../harness/poll.ts'
import type { ToldEntry } from './app/page.ts'
import type { Ack } from './control.ts'
import type { ChaosRun, Round } from './round.ts'

/** A reader may be a moment behind the store that it reads: nothing counts as lost before this, in ms. */
const findMsMax = 15_000

/** Everything that the device's store has acknowledged in a round has to be in its logs, or set aside, verbatim. */
export async function checkDevice(round: Round): Promise<void> {
  for (const run of round.runs) {
    const promised = promisedOf(round, run)
    const until = Date.now() + findMsMax
    const missing = await poll(
      async () => {
        const missing = await missingOf(round, run, promised)
        return missing.length === 0 || Date.now() > until ? missing : undefined
      },
      { timeoutMs: findMsMax * 2, message: () => `the log of ${run.id} cannot be read` },
    )
    for (const { seq, digest } of missing)
      lose(round, `entry ${String(seq)} (${digest.slice(0, 8)}) of ${run.id}, at the device`)
  }
}

/** Everything that was heard of the edge has to be in its logs. */
export async function checkEdge(round: Round): Promise<void> {
  if (round.local) return
  const { watch } = round.stage
  for (const run of round.runs) {
    const heard = [...watch.heard(run.id).values()]
    if (heard.length === 0) continue
    const there = new Set((await watch.pull(run.id)).map(({ digest }) => digest))
    for (const { seq, digest } of heard)
      if (!there.has(digest))
        lose(round, `entry ${String(seq)} (${digest.slice(0, 8)}) of ${run.id}, at the edge`)
  }
}

/** What the store of the device has acknowledged of a run, each entry once. */
export function promisedOf(round: Round, run: ChaosRun): ReadonlyMap<string, Ack> {
  const promised = new Map<string, Ack>()
  for (const ack of round.stage.control.acks.slice(round.since))
    if (ack.run === run.id && !promised.has(ack.digest)) promised.set(ack.digest, ack)
  return promised
}

/** The digests of lines that were set aside of a run at the device. */
export async function asideOf({ tab }: Round, run: ChaosRun): Promise<ReadonlySet<string>> {
  const lines = await tab.ask<readonly string[]>('setAside', run.id)
  return new Set(lines.map((line) => parseLine(utf8(line)).digest))
}

async function missingOf(
  round: Round,
  run: ChaosRun,
  promised: ReadonlyMap<string, Ack>,
): Promise<readonly Ack[]> {
  const log = await round.tab.ask<readonly ToldEntry[]>('log', run.id)
  const there = new Set(log.map(({ digest }) => digest))
  const missing = [...promised.values()].filter(({ digest }) => !there.has(digest))
  if (missing.length === 0) return []
  const aside = await asideOf(round, run)
  return missing.filter(({ digest }) => !aside.has(digest))
}

function lose({ tally }: Round, what: string): void {
  if (!tally.lost.includes(what)) tally.lost.push(what)
}
