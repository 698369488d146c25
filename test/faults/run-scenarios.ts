import { defineAgent, done, next, type AnyAgent, type Json, type RunId, type RunView } from '@waystone/core'
import type { FaultHost } from './fault-world.ts'
import type { Outside } from './outside.ts'
import type { Scenario } from './scenario.ts'

type Visit = (outside: Outside) => AnyAgent

/** A step, an effect that can be looked up, one that cannot, and a question. */
const errand: Visit = (outside) =>
  defineAgent({
    name: 'errand',
    version: 1,
    initial: () => ({ notes: [] as string[] }),
    async turn(ctx, state) {
      const path = (name: string): string => `${String(ctx.turn)}/${name}`
      const note = await ctx.step('look', () => {
        outside.step(ctx.run, path('look'))
        return 'looked'
      })
      await ctx.once(
        'pay',
        {
          timeout: '30s',
          verify: async ({ idempotencyKey }) =>
            outside.isDone(idempotencyKey)
              ? ({ done: true, value: 'paid' } as const)
              : ({ done: false } as const),
        },
        ({ idempotencyKey }) => {
          outside.effect(idempotencyKey)
          return 'paid'
        },
      )
      await ctx.once('mail', { timeout: '30s' }, ({ idempotencyKey }) => {
        outside.effect(idempotencyKey)
        return 'sent'
      })
      await ctx.stream('text', async ({ out }) => {
        outside.step(ctx.run, path('text'))
        for (const word of ['one ', 'two ', 'three']) if (!out.text.includes(word)) await out.write(word)
        return out.text
      })
      await ctx.artifact('page', new TextEncoder().encode('a page '.repeat(20)))
      const answer = await ctx.ask<string>('name', { question: 'Which name?' })
      await ctx.step('file', () => {
        outside.step(ctx.run, path('file'))
        return 'filed'
      })
      state.notes.push(note, answer.status === 'answered' ? answer.value : 'nobody')
      return done(state.notes)
    },
  })

/** Turns that each wait for a word; the effects of each can be taken back. */
const listener: Visit = (outside) =>
  defineAgent({
    name: 'listener',
    version: 1,
    initial: (input: { turns: number }) => ({ ...input, words: [] as string[] }),
    async turn(ctx, state) {
      const { turns } = state
      const word = await ctx.ask<string>('word', { question: `Word ${String(ctx.turn)}?` })
      const length = await ctx.step('measure', () => {
        outside.step(ctx.run, `${String(ctx.turn)}/measure`)
        return String(state.words.length)
      })
      state.words.push(`${length}:${word.status === 'answered' ? word.value : ''}`)
      if (state.words.length === 1) await ctx.label('first word')
      return state.words.length < turns ? next() : done(state.words.join(' '))
    },
  })

/** Keeps two turns, and a state that outgrows what a snapshot waits for. */
const hoarder: Visit = (outside) =>
  defineAgent({
    name: 'hoarder',
    version: 1,
    retention: { turns: 2, age: 0 },
    initial: () => ({ pages: [] as string[] }),
    async turn(ctx, state) {
      const page = await ctx.step('page', () => {
        outside.step(ctx.run, `${String(ctx.turn)}/page`)
        return `${String(ctx.turn)} ${'a page of words '.repeat(2_500)}`
      })
      state.pages = [...state.pages, page].slice(-3)
      if (ctx.turn === 2) await ctx.label('third')
      return ctx.turn < 5 ? next() : done(state.pages.map((one) => one.slice(0, 1)).join(''))
    },
  })

/** Answers the open question of a run, once for each. */
async function answer(host: FaultHost, run: string, view: RunView, value: string): Promise<void> {
  const ask = view.asks[0]?.ask
  if (ask === undefined) return
  const handle = await host.handle(run)
  await host.insist(async () => {
    try {
      await handle.answer(ask, value, { id: `answer-${ask.slice(0, 20)}` })
    } catch (error) {
      // Answered already, as far as that was known here or there.
      const { code } = error as { readonly code?: string }
      if (code !== 'answer_taken' && code !== 'ask_unknown' && code !== 'run_ended') throw error
    }
  })
  await handle.close()
}

/** What a person does about a pause: tries again where storage failed; looks outside whether an effect was done. */
async function decide(host: FaultHost, run: string, { pause }: RunView): Promise<void> {
  const handle = await host.handle(run)
  const { start, key } = (pause?.error.details ?? {}) as { readonly start?: string; readonly key?: string }
  if (pause?.error.code === 'storage_failed' && pause.actions.includes('retry')) {
    await host.insist(() => handle.retry())
  } else if (pause?.reason === 'outcome' && start !== undefined && key !== undefined) {
    const isDone = host.world.outside.isDone(key)
    const decision = isDone ? ({ type: 'done', value: 'sent' } as const) : ({ type: 'again' } as const)
    await host.insist(() => handle.decide(start, decision, { id: `decide-${start.slice(0, 20)}` }))
  } else throw new Error(`paused: ${JSON.stringify(pause)}`)
  await handle.close()
}

/** Answers and decides until a run has ended. `words` are said one after the other, by turn. */
async function attend(host: FaultHost, run: string, word: (view: RunView) => string): Promise<RunView> {
  let seen = -1
  for (;;) {
    const view = await host.until(
      run,
      ({ status, asks, head }) =>
        status === 'done' || ((asks.length > 0 || status === 'paused') && head.seq > seen),
      `the next question of ${run}`,
    )
    if (view.status === 'done') return view
    if (view.status === 'paused') await decide(host, run, view)
    else await answer(host, run, view, word(view))
    seen = view.head.seq
  }
}

async function start(host: FaultHost, agent: string, id: string, input: Json): Promise<void> {
  const runtime = await host.runtime()
  await host.insist(() => runtime.start(agent, input, { id, whenGone: 'offer' }))
}

async function resultOf(host: FaultHost, run: string): Promise<unknown> {
  return (await host.until(run, ({ status }) => status === 'done', `the end of ${run}`)).result
}

function expectSame(found: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${what}: expected ${right}, found ${left}`)
}

/** A run with one of each thing that a turn does. */
export const errandScenario: Scenario = {
  name: 'start, step, once, ask, done',
  edge: false,
  agents: (outside) => [errand(outside)],
  async play(host) {
    await start(host, 'errand', 'errand', null)
    await attend(host, 'errand', () => 'Ada')
  },
  async check({ outside }, host) {
    expectSame(await resultOf(host, 'errand'), ['looked', 'Ada'], 'the result')
    expectSame(outside.effects, 2, 'how many effects there were')
  },
}

/** The same with an edge that it is synced to. */
export const syncedScenario: Scenario = { ...errandScenario, name: 'the same, synced', edge: true }

/** A run that is moved to the edge after its first word, and back after its second. */
export const moveScenario: Scenario = {
  name: 'move to the edge and back',
  edge: true,
  agents: (outside) => [listener(outside)],
  async play(host) {
    await start(host, 'listener', 'mover', { turns: 3 })
    await wander(host, ['laptop', 'edge', 'laptop'])
  },
  async check(_, host) {
    expectSame(await resultOf(host, 'mover'), '0:laptop 1:edge 2:laptop', 'the result')
  },
}

/** A run that another device takes after its first word, and this one after its second: each is asked for it by the edge. */
export const handOverScenario: Scenario = {
  name: 'handed over to another device and back',
  edge: true,
  agents: (outside) => [listener(outside)],
  async play(host) {
    await start(host, 'listener', 'mover', { turns: 3 })
    await wander(host, ['laptop', 'phone', 'laptop'])
  },
  async check(world, host) {
    for (const device of [host, world.other()])
      expectSame(
        await resultOf(device, 'mover'),
        '0:laptop 1:phone 2:laptop',
        `the result on ${device.device}`,
      )
  },
}

/** Says one word at each place after the other, and moves the run there before. */
async function wander(host: FaultHost, places: readonly string[]): Promise<void> {
  for (;;) {
    const view = await host.until(
      'mover',
      ({ status, asks }) => status === 'done' || asks.length > 0,
      'a question',
    )
    if (view.status === 'done') return
    const place = places[(view.state as { words: readonly string[] }).words.length]
    if (place === 'phone' && view.owner !== place) await moveTo(host.world.other(), 'here')
    else if (place !== view.owner) await moveTo(host, place === 'edge' ? 'edge' : 'here')
    else {
      await answer(host, 'mover', view, place)
      const { head } = view
      await host.until(
        'mover',
        (now) => now.status === 'done' || now.turn > view.turn,
        `a turn after ${String(head.seq)}`,
      )
    }
  }
}

async function moveTo(host: FaultHost, to: 'edge' | 'here'): Promise<void> {
  const handle = await host.handle('mover')
  await handle.move(to, { drainMs: 100 }).catch((error: { readonly code?: string }) => {
    // Whether it moved is looked at, and asked for again.
    if (!movePasses.has(error.code ?? '')) throw error
  })
  await handle.close()
  await host.clock.wait(500)
}

const movePasses = new Set([
  'move_refused',
  'move_unknown',
  'unreachable',
  'head_moved',
  'not_owner',
  'storage_failed',
])

/** A run whose history is let go while it goes on. */
export const retentionScenario: Scenario = {
  name: 'snapshots and retention',
  edge: false,
  agents: (outside) => [hoarder(outside)],
  async play(host) {
    await start(host, 'hoarder', 'hoarder', null)
    await host.until('hoarder', ({ status }) => status === 'done', 'the end')
  },
  async check(_, host) {
    expectSame(await resultOf(host, 'hoarder'), '345', 'the result')
    const handle = await host.handle('hoarder')
    while (await host.insist(() => handle.loadEarlier()));
    const labels = handle.view()?.labels.map(({ label }) => label)
    expectSame(labels, ['third'], 'the labels')
    const [label] = handle.view()?.labels ?? []
    await host.insist(() => handle.fork({ seq: label?.at.seq ?? -1, id: 'fork-of-third' }))
    expectSame(await resultOf(host, 'fork-of-third'), '345', 'the result of a fork of the kept checkpoint')
  },
}

/** A run that is forked at its first word and rewound to it, each ending with other words. */
export const backScenario: Scenario = {
  name: 'fork and rewind',
  edge: false,
  agents: (outside) => [listener(outside)],
  async play(host) {
    await start(host, 'listener', 'source', { turns: 3 })
    const has = async (...kinds: readonly string[]): Promise<boolean> => {
      const handle = await host.handle('source')
      while (await host.insist(() => handle.loadEarlier()));
      const found = handle.entries().some(({ kind }) => kinds.includes(kind))
      await handle.close()
      return found
    }
    // An earlier life may have sent it: then it is in the inbox, or has left it for the log.
    const items = await host.insist(() => host.storage.inbox.list('source' as RunId))
    const isSent = items.some(({ id }) => id === 'rewind-1') || (await has('unwind', 'rewind'))
    if (!isSent) {
      for (;;) {
        const view = await host.until('source', ({ asks, turn }) => asks.length > 0 || turn > 2, 'a question')
        if (view.turn === 2) break
        await answer(host, 'source', view, 'before')
        await host.until('source', ({ turn }) => turn > view.turn, 'the next turn')
      }
      const handle = await host.handle('source')
      const seq = handle.view()?.labels[0]?.at.seq ?? -1
      await host.insist(() => handle.fork({ seq, id: 'fork' }))
      await host.insist(() => handle.rewind({ seq, id: 'rewind-1' }))
      await handle.close()
    }
    while (!(await has('rewind'))) await host.clock.wait(500)
    await attend(host, 'source', () => 'after')
    await attend(host, 'fork', () => 'fork')
  },
  async check(_, host) {
    expectSame(await resultOf(host, 'source'), '0:before 1:after 2:after', 'the result of the rewound run')
    expectSame(await resultOf(host, 'fork'), '0:before 1:fork 2:fork', 'the result of the fork')
  },
}
