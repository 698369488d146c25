import { poll } from '../harness/poll.ts'
import { answerOf, effectNames, pageOf, words, type PorterState } from './app/agents.ts'
import type { ToldEntry, ToldView } from './app/page.ts'
import { checkNotes } from './check-notes.ts'
import { asideOf, checkDevice, checkEdge, promisedOf } from './check-stores.ts'
import type { EdgeEntry } from './edge-watch.ts'
import { checkSteps } from './check-steps.ts'
import { lasting, send, standingOf, unblocked, type ChaosRun, type Round } from './round.ts'
import { count } from './tally.ts'

const endMsMax = 120_000

/** Stops the runs of a round, waits for their ends, and holds everything against what was promised. */
export async function endRound(round: Round): Promise<void> {
  const { tally, stage, local } = round
  for (const run of lasting(round)) await send(round, run, 'stop')
  await unblocked(round, () => untilOver(round))
  const { tab } = round
  await checkDevice(round)
  await checkEdge(round)
  await checkNotes(round)
  for (const run of round.runs) {
    const log = await tab.ask<readonly ToldEntry[]>('log', run.id)
    const aside = await asideOf(round, run)
    const edge = local ? [] : await stage.watch.pull(run.id)
    countFound(round, run, log, aside)
    if (!local) checkAgreement(round, run, log, edge)
    checkOnce(round, run, log, aside)
    checkSteps(round, run, log)
    checkState(round, run, await tab.ask<PorterState>('state', run.id))
    tally.ended += 1
  }
}

/** Waits until every run has ended, and device and edge both know. */
async function untilOver(round: Round): Promise<void> {
  const { runs, tab, local } = round
  for (const run of runs) {
    await poll(
      async () => {
        const view = await tab.ask<ToldView | undefined>('view', run.id)
        const isOver = view !== undefined && ['done', 'failed', 'cancelled'].includes(view.status)
        return isOver && (local || view.synced === view.seq || view.owner === 'edge') ? true : undefined
      },
      {
        timeoutMs: endMsMax,
        everyMs: 100,
        message: async () => `run ${run.id} does not end: ${await standingOf(round, run.id)}`,
      },
    )
  }
}

/** What was acknowledged, and where it is now. */
function countFound(
  round: Round,
  run: ChaosRun,
  log: readonly ToldEntry[],
  aside: ReadonlySet<string>,
): void {
  const { tally, stage } = round
  const there = new Map(
    log.map(({ digest, kind, owner }) => [digest, owner === 'edge' ? `${kind} of the edge` : kind]),
  )
  for (const { durability, digest } of promisedOf(round, run).values()) {
    const kind = durability === 'strict' ? 'strict' : 'relaxed'
    tally.acknowledged[kind] += 1
    count(tally.kinds[kind], there.get(digest) ?? 'set aside')
    if (!there.has(digest) && aside.has(digest)) tally.setAside += 1
    if (there.has(digest) || aside.has(digest)) tally.found[kind] += 1
  }
  const heard = stage.watch.heard(run.id)
  tally.acknowledged.edge += heard.size
  for (const { digest } of heard.values()) if (there.has(digest)) tally.found.edge += 1
  tally.acknowledged.starts += 1
  if (log.length > 0) tally.found.starts += 1
}

/** Device and edge have the same entries, digest by digest. */
function checkAgreement(
  { tally, stage }: Round,
  run: ChaosRun,
  log: readonly ToldEntry[],
  edge: readonly EdgeEntry[],
): void {
  const length = Math.max(log.length, edge.length)
  for (let seq = 0; seq < length; seq += 1) {
    if (log[seq]?.digest === edge[seq]?.digest) continue
    tally.divergences.push(`${run.id} differs from entry ${String(seq)} on between device and edge`)
    break
  }
  for (const { seq } of stage.watch.changed.filter((entry) => entry.run === run.id))
    tally.divergences.push(`${run.id}: the edge told of two entries ${String(seq)}`)
}

/** No effect of class once was started more often than decided, and none without a start record. */
function checkOnce(
  { tally, stage }: Round,
  run: ChaosRun,
  log: readonly ToldEntry[],
  aside: ReadonlySet<string>,
): void {
  const starts = log.filter(({ kind }) => kind === 'once.start')
  const keyOf = new Map(starts.map(({ digest, key }) => [digest, key]))
  const again = log
    .filter(({ decided }) => decided?.type === 'again')
    .map(({ decided }) => keyOf.get(decided?.start ?? ''))
  const keys = new Set(
    stage.arrivals.filter((one) => one.run === run.id && one.what === 'pay').map((one) => one.key),
  )
  tally.onceStarted += keys.size
  tally.onceDecided += log.filter(({ decided }) => decided !== undefined).length
  tally.onceVerified += log.filter(({ kind, how }) => kind === 'once' && how === 'verified').length
  for (const key of keys) {
    const decided = again.filter((one) => one === key).length
    const happened = stage.effects.starts(key)
    if (happened > 1 + decided)
      tally.startedTwice.push(
        `${key.slice(0, 8)} of ${run.id}: ${String(happened)} starts, ${String(decided)} decisions`,
      )
    // The edge knows of a start before it happens, so that it cannot be among what was set aside.
    if (!starts.some((one) => one.key === key))
      tally.lost.push(
        `the start of ${key.slice(0, 8)} of ${run.id}, which happened${aside.size > 0 ? ' (it has set aside entries)' : ''}`,
      )
  }
}

/** The run ended as it would have with nobody killing anything. */
function checkState({ tally, stage }: Round, run: ChaosRun, state: PorterState | undefined): void {
  const wrong = (what: string): void => void tally.wrong.push(`${run.id}: ${what}`)
  if (state === undefined) return wrong('it has no state')
  const turns = state.receipts.length
  const cargo = state.cargo.map((_, page) => {
    const writes = Array.from({ length: turns }, (__, turn) => turn).filter(
      (turn) => turn % state.cargo.length === page,
    )
    return pageOf(writes.at(-1) ?? page)
  })
  if (cargo.join() !== state.cargo.join()) wrong('its cargo is not what it was given')
  if (state.text !== words.join('')) wrong(`its text is "${state.text}"`)
  const answers = Array.from({ length: turns }, (_, turn) => turn).filter((turn) => turn % 3 === 2)
  if (answers.map(answerOf).join() !== state.answers.join()) wrong('its answers are not those it was given')
  const known = new Map(stage.arrivals.filter((one) => one.run === run.id).map((one) => [one.key, one]))
  for (const [turn, keys] of state.receipts.entries()) {
    for (const [index, what] of effectNames.entries()) {
      const arrival = known.get(keys[index] ?? '')
      // A stream that was killed right after its word need not reach the outside again.
      if (what === 'text' && arrival === undefined) continue
      if (arrival?.turn !== turn || arrival.what !== what)
        wrong(`turn ${String(turn)} has a receipt for ${what} that the outside did not give`)
    }
  }
  for (const [message, acknowledged] of run.sent) {
    const times = state.news.filter((one) => one === message).length
    if (acknowledged) tally.acknowledged.sends += 1
    if (acknowledged && times > 0) tally.found.sends += 1
    if (acknowledged && times === 0) tally.lost.push(`message "${message}" to ${run.id}`)
    if (times > 1) wrong(`it has received "${message}" ${String(times)} times`)
  }
}
