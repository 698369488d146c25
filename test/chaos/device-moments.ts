import { poll } from '../harness/poll.ts'
import type { AppendPoint, ProbedThread } from './app/probe.ts'
import { after, atRandom, during, whileAsked, type Caught, type Moment } from './moment.ts'
import { asked, bequeathed, move, ownRun, taken, toEdge } from './moves.ts'
import { lasting, send, startRun, type ChaosRun, type Round } from './round.ts'
import type { Victim } from './tally.ts'

const inDevice: readonly Victim[] = ['renderer', 'worker', 'browser']
const here: Pick<Moment, 'victims' | 'needsEdge'> = { victims: inDevice, needsEdge: false }
const withEdge: Pick<Moment, 'victims' | 'needsEdge'> = { victims: inDevice, needsEdge: true }
/** How long a device that is there may take to hand a run over, in ms. */
const handOverMsMax = 20_000
/** How long an outcome may be under way when it is caught there, in ms. */
const underWayMsMax = 4

/** The points at which a device, or a part of it, is killed. */
export const deviceMoments: readonly Moment[] = [
  { name: 'at random', ...here, reach: atRandom },
  { name: 'in an append, before its commit', ...here, reach: inAppend('put') },
  { name: 'in an append, at its commit', ...here, reach: inAppend('commit') },
  { name: 'when an append is complete', ...here, reach: inAppend('complete') },
  {
    name: 'in a save of a session, at its commit',
    victims: ['renderer', 'browser'],
    needsEdge: false,
    reach: inAppend('commit', 'page'),
  },
  { name: 'between once.start and its outcome', ...here, reach: during(ownRun, 'pay') },
  { name: 'in a step', ...here, reach: during(ownRun, 'left') },
  { name: 'with the outcome of a step on its way to disk', ...here, reach: after(ownRun, underWayMsMax) },
  { name: 'right after an acknowledged send', ...here, reach: afterSend },
  { name: 'right after an acknowledged start', ...here, reach: afterStart },
  { name: 'while entries are pushed', ...withEdge, reach: whileAsked('/entries') },
  { name: 'in a move to the edge, its claim lost', ...withEdge, reach: inMove('lose request') },
  { name: 'in a move to the edge, its claim made', ...withEdge, reach: inMove('lose answer') },
  { name: 'right after a move to the edge', ...withEdge, reach: afterMove },
  { name: 'in a move back, the edge holding', ...withEdge, reach: inMoveBack('/hold') },
  { name: 'in a move back, its claim under way', ...withEdge, reach: inMoveBack('/claim') },
  { name: 'handing over to another device', ...withEdge, reach: handingOver('pass') },
  { name: 'handing over to another device, its claim lost', ...withEdge, reach: handingOver('lose request') },
  { name: 'handing over to another device, its claim made', ...withEdge, reach: handingOver('lose answer') },
  { name: 'taking over from another device', ...withEdge, reach: takingOver },
  { name: 'until the edge takes over', victims: ['renderer', 'browser'], needsEdge: true, reach: untilTaken },
  {
    name: 'offline, until the edge takes over',
    victims: ['renderer', 'browser'],
    needsEdge: true,
    reach: offline,
  },
]

function inAppend(point: AppendPoint, thread: ProbedThread = 'worker'): Moment['reach'] {
  return async ({ tab, stage, random }) => {
    const standing = stage.control.standing(tab.life)
    await tab.ask('arm', point, thread, random.whole(0, 12))
    await standing
    return {}
  }
}

async function afterSend(round: Round): Promise<Caught> {
  await send(round, round.random.pick(lasting(round)))
  return {}
}

async function afterStart(round: Round): Promise<Caught> {
  await startRun(round, { chars: 1_000, turns: 2 })
  return {}
}

function inMove(fate: 'lose request' | 'lose answer'): Moment['reach'] {
  return async (round) => {
    const run = await ownRun(round)
    const claim = asked(round.stage.network, '/claim', fate)
    void move(round, run, 'edge').catch(() => undefined)
    await claim
    return {}
  }
}

async function afterMove(round: Round): Promise<Caught> {
  await toEdge(round)
  return {}
}

function inMoveBack(route: '/hold' | '/claim'): Moment['reach'] {
  return async (round) => {
    const run = await toEdge(round)
    const going = asked(round.stage.network, route, 'pass')
    void move(round, run, 'here').catch(() => undefined)
    await going
    return {}
  }
}

/** Resolves when another device has a run of this one. */
async function handedOver({ neighbour }: Round, run: ChaosRun): Promise<void> {
  await poll(async () => ((await neighbour?.take(run.id)) === true ? true : undefined), {
    timeoutMs: handOverMsMax,
    message: () => `${run.id} is not handed over`,
  })
}

/** Another device asks for a run of this one. */
function handingOver(fate: 'pass' | 'lose request' | 'lose answer'): Moment['reach'] {
  return async (round) => {
    const run = await ownRun(round)
    const claim = asked(round.stage.network, '/claim', fate)
    void handedOver(round, run).catch(() => undefined)
    await claim
    return {}
  }
}

/** This device asks another one for a run. */
async function takingOver(round: Round): Promise<Caught> {
  const run = await ownRun(round)
  await handedOver(round, run)
  const hold = asked(round.stage.network, '/hold', 'pass')
  void move(round, run, 'here').catch(() => undefined)
  await hold
  return {}
}

async function untilTaken(round: Round): Promise<Caught> {
  const run = await bequeathed(round)
  return { takesTime: true, away: () => taken(round, run) }
}

/** Cut off from the edge the run goes on for a while: what it appends then is what will be set aside. */
async function offline(round: Round): Promise<Caught> {
  const run = await bequeathed(round)
  round.stage.network.cut()
  await atRandom(round)
  return {
    takesTime: true,
    async away() {
      await taken(round, run)
      round.stage.network.mend()
    },
  }
}
