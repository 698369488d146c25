import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream, type EventStream } from '../harness/event-stream.ts'
import type { EnginePage } from '../harness/engines.ts'
import { resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

const words = ['Once ', 'upon ', 'a ', 'time ', 'there ', 'was ', 'a move.']
const whole = words.join('')
const run = 'tale'

/** A piece of text as event streams tell it. */
interface Piece {
  readonly at: number
  readonly text: string
}

describe('a move in the middle of a stream', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const listen = (cursor?: string): Promise<EventStream> =>
    openEventStream(`${world.edge().url}/v1/runs/${run}/events`, {
      ...world.headers,
      ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
    })
  /** Collects what a page shows of the text. */
  const collect = (page: EnginePage): Promise<void> =>
    page.evaluate(
      `rig.run('${run}').then((run) => {
        window.shown = []
        run.subscribe(({ streams }) => {
          const text = streams['0/tale']
          if (text !== undefined && text !== shown.at(-1)) shown.push(text)
        })
      })`,
    )

  it('to the edge: the text goes on there after what was told here, and no reader sees a word of it twice', async () => {
    const { effects } = world
    const [laptop, phone] = [await world.device(), await world.device()]
    const here = await laptop.open()
    const inBrowser = effects.hold('/effect/told-2')
    await here.evaluate(
      `rig.start('teller', ${JSON.stringify({ server: effects.url, words })}, { id: '${run}' })`,
    )
    await inBrowser.arrived
    const there = await phone.open()
    await Promise.all([here, there].map(collect))
    const first = await listen()
    const soFar = words.slice(0, 3).join('')
    for (const page of [here, there]) await until(page, run, `view.streams['0/tale'] === '${soFar}'`)
    await first.until(({ event, data }) => event === 'text' && data.includes('a '))

    const atEdge = effects.hold('/effect/told-4')
    expect(await here.evaluate<Tried>(`rig.move('${run}', 'edge', { drainMs: 50 })`)).toEqual({ ok: true })
    inBrowser.drop()
    await atEdge.arrived
    const far = await first.until(({ event, data }) => event === 'text' && data.includes('there '))
    first.leave()
    const second = await listen(far.id)
    for (const page of [here, there])
      await until(page, run, `view.streams['0/tale'] === '${words.slice(0, 5).join('')}'`)
    const last = effects.hold('/effect/told-6')
    atEdge.release()
    await last.arrived
    for (const page of [here, there]) await until(page, run, `view.streams['0/tale'] === '${whole}'`)
    last.release()
    expect(await resultOf(there, run)).toBe(whole)
    await second.closed

    for (const page of [here, there]) expectGrowing(await page.evaluate<readonly string[]>('shown'))
    const events = [...first.events().slice(0, first.events().indexOf(far) + 1), ...second.events()]
    expect(events.filter(({ event }) => event === 'reset')).toEqual([])
    expectJoined(events.filter(({ event }) => event === 'text').map(({ data }) => JSON.parse(data) as Piece))
    // The word that was told when the run left is not told again: the edge has it.
    expect(effects.effects().map(({ key }) => effects.starts(key))).toEqual(words.map(() => 1))
    await laptop.close()
    await phone.close()
  })
})

/** Each text that was shown is the one before and more. */
function expectGrowing(shown: readonly string[]): void {
  expect(shown.at(-1)).toBe(whole)
  for (const [index, text] of shown.entries())
    expect({ before: shown[index - 1] ?? '', text }).toSatisfy(
      ({ before, text: now }: { before: string; text: string }) => now.startsWith(before),
    )
}

/** Each piece begins where the one before has ended. */
function expectJoined(pieces: readonly Piece[]): void {
  let told = ''
  for (const { at, text } of pieces) {
    expect(at).toBe(told.length)
    told += text
  }
  expect(told).toBe(whole)
}
