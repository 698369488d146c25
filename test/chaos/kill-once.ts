import type { RunSummary } from '@waystone/core'
import { poll } from '../harness/poll.ts'
import type { Moment } from './moment.ts'
import { checkDevice, checkEdge } from './check-stores.ts'
import { inTime } from './in-time.ts'
import { lasting, send, standingOf, unblocked, type Round } from './round.ts'
import { count, type Victim } from './tally.ts'

/** A point that does not come within this time, in ms: the kill is made all the same, and counted as missed. */
const momentMsMax = 20_000
const goingOnMsMax = 60_000
const restartMsMax = 15_000
/** One kill of the edge in so many is followed by nobody asking for anything. */
const aloneEvery = 4

/** Kills one thing at one point, opens it again, sees the runs go on, and looks for all that was acknowledged. */
export async function killOnce(round: Round, moment: Moment, victim: Victim): Promise<void> {
  const { tally, stage } = round
  const reaching = moment.reach(round)
  // One that comes too late finds its page gone.
  reaching.catch(() => undefined)
  const caught = await inTime(reaching, momentMsMax, () => undefined)
  if (caught === undefined) tally.missed += 1
  count(tally.kills, `${victim}: ${moment.name}${caught === undefined ? ' (missed)' : ''}`)
  const begun = stage.control.acks.length
  const killed = await kill(round, victim)
  stage.network.decide(() => 'pass')
  await caught?.away?.()
  if (caught === undefined) stage.network.mend()
  if (victim === 'edge') return edgeGoesOn(round, killed.at)
  const stays = victim === 'worker' && killed.worker !== undefined
  const opened = stays ? undefined : Date.now()
  if (!stays) await openAgain(round, victim)
  const told: Killed = {
    ...{ victim, ...killed, begun },
    ...(opened === undefined ? {} : { opened }),
    ...(caught?.takesTime || (victim === 'worker' && !stays) ? { takesTime: true } : {}),
  }
  // How long another tab takes after that is no time to resume.
  await unblocked(round, (again) =>
    goesOn(round, again ? { victim, at: killed.at, begun, takesTime: true } : told),
  )
  await round.tab.locate()
  await checkDevice(round)
}

/** The same device with the same storage: what it says of either else is what has lost its runs. */
async function openAgain(round: Round, victim: Victim): Promise<void> {
  const { device, tally } = round
  const before = round.tab
  const tab = await device.open()
  round.tab = tab
  if (tab.storage === before.storage && tab.device === before.device) return
  const how = (one: typeof tab): string => `${one.storage} of device ${one.device}`
  tally.lost.push(
    `after the kill of a ${victim} the page has ${how(tab)}, and had ${how(before)}: ${JSON.stringify(await tab.ask('storageState'))}`,
  )
}

async function kill(
  round: Round,
  victim: Victim,
): Promise<{ readonly at: number; readonly worker?: number }> {
  const at = Date.now()
  switch (victim) {
    case 'renderer':
      round.tab.killRenderer()
      return { at }
    case 'browser':
      await round.device.killBrowser()
      return { at }
    case 'worker':
      return restart(round, at)
    case 'edge':
      await round.stage.killEdge()
      return { at }
  }
}

/**
 * Has the worker ended and another one started. WebKitGTK leaves the database blocked when a worker ends in the middle of its
 * transactions, for every page and worker of that process (2.50, 2026-11): then the tab has to go, too.
 */
async function restart(
  { tab, tally }: Round,
  at: number,
): Promise<{ readonly at: number; readonly worker?: number }> {
  const restarting = tab.ask<{ readonly at: number; readonly worker: number }>('restart')
  restarting.catch(() => undefined)
  const restarted = await inTime(restarting, restartMsMax, () => undefined)
  if (restarted) return restarted
  tally.blocked += 1
  tab.killRenderer()
  return { at }
}

interface Killed {
  readonly victim: Victim
  readonly at: number
  readonly worker?: number
  /** When the page was opened again. */
  readonly opened?: number
  /** Nothing was opened for a while. */
  readonly takesTime?: true
  /** How many acknowledgements there were before. */
  readonly begun: number
}

/** Waits until every run of the device has appended again, and writes down how long that took. */
async function goesOn(round: Round, { victim, at, worker, opened, begun, takesTime }: Killed): Promise<void> {
  const { tab, stage, tally, local } = round
  const { acks, began } = stage.control
  for (const run of round.runs) {
    const ack = await poll(
      async () => {
        const first = acks
          .slice(begun)
          .find((one) => one.run === run.id && one.life === tab.life && Number(one.worker) >= (worker ?? 1))
        if (first) return first
        const summary = (await tab.ask<readonly RunSummary[]>('runs')).find((one) => one.run === run.id)
        if (summary === undefined) return 'lost' as const
        const isOver = ['done', 'failed', 'cancelled'].includes(summary.status)
        return isOver || summary.owner !== tab.device ? ('elsewhere' as const) : undefined
      },
      {
        timeoutMs: goingOnMsMax,
        message: async () =>
          `run ${run.id} does not go on in ${tab.life}: ${await standingOf(round, run.id)}`,
      },
    )
    if (ack === 'lost') tally.lost.push(`run ${run.id}, whose start was acknowledged`)
    if (typeof ack === 'string') continue
    const workerBegan = began(tab.life, ack.worker)
    tally.resumes.push({
      victim,
      chars: run.input.chars,
      local,
      sinceKill: takesTime ? undefined : ack.at - at,
      sinceLoad: opened === undefined ? undefined : ack.at - tab.opened,
      sinceWorker: workerBegan === undefined ? undefined : ack.at - workerBegan,
    })
  }
}

/** Starts the edge again, and sees the runs that it owns go on: by its alarms alone, or because a message came. */
async function edgeGoesOn(round: Round, killedAt: number): Promise<void> {
  const { stage, tally, tab } = round
  await checkDevice(round)
  await stage.startEdge()
  const there = Date.now()
  await checkEdge(round)
  const kills = Object.values(tally.kills).reduce((sum, one) => sum + one, 0)
  const asks = kills % aloneEvery !== 0
  for (const run of lasting(round)) {
    const before = await stage.watch.pull(run.id)
    const isThere = before.findLast(({ kind }) => kind === 'claim')?.owner === 'edge'
    if (!isThere) continue
    if (asks) await send(round, run)
    const seen = before.at(-1)?.seq ?? -1
    const { heard } = await stage.watch.until(run.id, ({ seq }) => seq > seen)
    tally.edgeResumes.push({ asked: asks, ms: heard - there, sinceKill: heard - killedAt })
  }
  await tab.ask('runs')
}
