import { after, atRandom, during, whileAsked, type Caught, type Moment } from './moment.ts'
import { asked, bequeathed, move, taken, toEdge } from './moves.ts'
import { lasting, send, type Round } from './round.ts'
import type { Victim } from './tally.ts'

const edge: { readonly victims: readonly Victim[]; readonly needsEdge: true } = {
  victims: ['edge'],
  needsEdge: true,
}
/** How long an outcome may be under way when it is caught there, in ms. */
const underWayMsMax = 6

/** The points at which the whole tree of wrangler and workerd is killed. */
export const edgeMoments: readonly Moment[] = [
  { name: 'at random', ...edge, reach: atRandom },
  { name: 'in a step at the edge', ...edge, reach: during(toEdge, 'left') },
  { name: 'between once.start and its outcome at the edge', ...edge, reach: during(toEdge, 'pay') },
  { name: 'with the outcome of a step on its way to disk', ...edge, reach: after(toEdge, underWayMsMax) },
  { name: 'while entries are pushed', ...edge, reach: whileAsked('/entries') },
  { name: 'right after an acknowledged send', ...edge, reach: afterSend },
  { name: 'in a move to the edge, its claim under way', ...edge, reach: inMove('/claim', 'edge') },
  { name: 'right after a move to the edge', ...edge, reach: afterMove },
  { name: 'in a move back, the edge holding', ...edge, reach: inMove('/hold', 'here') },
  { name: 'in a move back, its claim under way', ...edge, reach: inMove('/claim', 'here') },
  { name: 'right after it took over from a device', ...edge, reach: afterTakeOver },
]

async function afterSend(round: Round): Promise<Caught> {
  await send(round, await toEdge(round))
  return {}
}

async function afterMove(round: Round): Promise<Caught> {
  await toEdge(round)
  return {}
}

function inMove(route: '/claim' | '/hold', to: 'edge' | 'here'): Moment['reach'] {
  return async (round) => {
    const run = to === 'here' ? await toEdge(round) : round.random.pick(lasting(round))
    if (to === 'edge') await move(round, run, 'here')
    const going = asked(round.stage.network, route, 'pass')
    void move(round, run, to).catch(() => undefined)
    await going
    return {}
  }
}

/** The device is cut off, the edge takes its run over, and is killed in that very moment. */
async function afterTakeOver(round: Round): Promise<Caught> {
  const run = await bequeathed(round)
  round.stage.network.cut()
  await taken(round, run)
  return {
    away() {
      round.stage.network.mend()
      return Promise.resolve()
    },
  }
}
