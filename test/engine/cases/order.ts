import { doneWith, oneTurn, type EngineCase } from '../engine-case.ts'

const items = ['a', 'b', 'c', 'd', 'e']

const map: EngineCase = {
  name: 'map() works on so many items at a time, and on none twice that was recorded before a kill',
  agent: oneTurn('map', (ctx, reach) =>
    ctx.map('fetch', items, { key: String, concurrency: 2 }, (c, item) =>
      c.step('get', (tools) => reach(item, tools)),
    ),
  ),
  async play({ begin, hold, kill, recorded, starts }) {
    const [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map(hold) as [
      ReturnType<typeof hold>,
      ReturnType<typeof hold>,
      ReturnType<typeof hold>,
      ReturnType<typeof hold>,
    ]
    await begin()
    await Promise.all([first.arrived, second.arrived])
    const atFirst = starts()
    second.release()
    await third.arrived
    first.release()
    await fourth.arrived
    await recorded('0/fetch/a/get')
    const atKill = starts()
    await kill()
    third.release()
    fourth.release()
    return { atFirst, atKill }
  },
  end: {
    seen: { atFirst: { a: 1, b: 1 }, atKill: { a: 1, b: 1, c: 1, d: 1 } },
    view: doneWith(items),
    starts: { a: 1, b: 1, c: 2, d: 2, e: 1 },
  },
}

const sequential: EngineCase = {
  name: 'a sequential scope finds its numbered steps again after a kill, with named ones beside them',
  agent: oneTurn('sequential', (ctx, reach) =>
    ctx.scope('wrapped', { sequential: true }, async (c) => {
      const said: string[] = []
      for (const name of ['one', 'two', 'three', 'four'])
        said.push(await c.step(c.numbered('model'), (tools) => reach(name, tools)))
      const tools = await Promise.all(['x', 'y'].map((id) => c.step(`tool ${id}`, (t) => reach(id, t))))
      return { said, tools, last: await c.step(c.numbered('model'), (t) => reach('five', t)) }
    }),
  ),
  async play({ begin, hold, kill, recorded }) {
    const [three, y] = [hold('three'), hold('y')]
    await begin()
    await three.arrived
    await kill()
    three.release()
    await y.arrived
    await recorded('0/wrapped/tool x')
    await kill()
    y.release()
  },
  end: {
    view: doneWith({ said: ['one', 'two', 'three', 'four'], tools: ['x', 'y'], last: 'five' }),
    starts: { one: 1, two: 1, three: 2, four: 1, x: 1, y: 2, five: 1 },
    recorded: [
      ...['1', '2', '3', '4'].map((number) => `0/wrapped/model#${number}`),
      ...['0/wrapped/tool x', '0/wrapped/tool y', '0/wrapped/model#5'],
    ],
  },
}

/** Microtasks that a branch takes to notice what it was given: the others must not overtake it on replay. */
const hops = { a: 0, b: 11, c: 6 }

const order: EngineCase = {
  name: 'branches that observe in which order others end see the same on replay',
  agent: oneTurn('order', async (ctx, reach) => {
    const seen: string[] = []
    const branches = Object.entries(hops).map(([name, count]) => [
      name,
      async (c: Pick<typeof ctx, 'step'>) => {
        await c.step('get', (tools) => reach(name, tools))
        for (let hop = 0; hop < count; hop += 1) await Promise.resolve()
        seen.push(name)
        // Its name tells how many were there before: another order would be another path.
        await c.step(`after ${String(seen.length)}`, (tools) => reach(`${name} again`, tools))
        seen.push(`${name} again`)
      },
    ]) as [string, (c: Pick<typeof ctx, 'step'>) => Promise<void>][]
    await ctx.all('both', Object.fromEntries(branches))
    return { seen, told: await ctx.step('tell', (tools) => reach('tell', tools, seen)) }
  }),
  async play({ begin, hold, kill, recorded }) {
    const first = { a: hold('a'), b: hold('b'), c: hold('c') }
    const again = { a: hold('a again'), b: hold('b again'), c: hold('c again') }
    const tell = hold('tell')
    await begin()
    await Promise.all(Object.values(first).map(({ arrived }) => arrived))
    for (const name of ['c', 'a', 'b'] as const) {
      first[name].release()
      await again[name].arrived
    }
    again.b.release()
    await recorded('0/both/b/after 3')
    await kill()
    again.a.release()
    await recorded('0/both/a/after 2')
    again.c.release()
    await tell.arrived
    await kill()
    tell.release()
  },
  end: {
    view: doneWith({ seen: ['c', 'a', 'b', 'b again', 'a again', 'c again'], told: 'tell' }),
    starts: { a: 1, b: 1, c: 1, 'b again': 1, 'a again': 2, 'c again': 2, tell: 2 },
  },
}

/** What a replay must do in the order of the log. */
export const orderCases = [map, sequential, order]
