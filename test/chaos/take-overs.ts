import { poll } from '../harness/poll.ts'
import type { EngineName } from '../harness/engines.ts'
import type { ToldView } from './app/page.ts'
import { manyTurns } from './round.ts'
import type { Stage } from './stage.ts'
import type { Tally, TakeOver } from './tally.ts'

const takeOverMsMax = 30_000
const run = `tabs-${String(process.pid)}`

/**
 * Two tabs of one device without an edge: the one that writes a run crashes, or is closed, and the other goes on. The tab
 * that took over is the next to go.
 */
export async function takeOvers(
  stage: Stage,
  engine: EngineName,
  times: number,
  tally: Tally,
): Promise<void> {
  if (times === 0) return
  const { control } = stage
  const device = await stage.device(engine, { local: true })
  let first = await device.open()
  const input = { server: stage.effects.url, name: run, chars: 100_000, turns: manyTurns }
  await first.ask('start', input, { id: run })
  for (let number = 0; number < times * 2; number += 1) {
    const how: TakeOver['how'] = number % 2 === 0 ? 'crashed' : 'closed'
    const second = await device.open()
    await poll(async () => ((await second.ask<ToldView | undefined>('view', run)) ? true : undefined), {
      timeoutMs: takeOverMsMax,
      message: () => 'the second tab does not follow',
    })
    if ((await first.locate()) === (await second.locate())) throw new Error('both tabs have one process')
    const asked = Date.now()
    if (how === 'crashed') first.killRenderer()
    else await first.close()
    const ack = await poll(() => control.acks.find((one) => one.run === run && one.life === second.life), {
      timeoutMs: takeOverMsMax,
      everyMs: 5,
      message: () => `the second tab does not take over from one that ${how}`,
    })
    const gone = how === 'closed' ? (control.hidden(first.life) ?? asked) : asked
    tally.takeOvers.push({ how, ms: ack.at - gone, sinceAsked: ack.at - asked })
    first = second
  }
  await device.close()
}
