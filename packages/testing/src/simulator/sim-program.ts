import {
  childStem,
  defineAgent,
  done,
  isWaystoneError,
  need,
  next,
  parseRunId,
  type AnyAgent,
  type Child,
  type Ctx,
  type SpawnOptions,
} from '@waystone/core'
import type { Dice } from './dice.ts'
import type { Effects, Where } from './effects.ts'
import type { SimWorld } from './sim-world.ts'

/** One call of a turn, or several at once. */
export type Call =
  | {
      readonly do:
        'step' | 'bulk' | 'stream' | 'artifact' | 'ask' | 'sleep' | 'receive' | 'drain' | 'label' | 'random'
      readonly name: string
    }
  | { readonly do: 'once'; readonly name: string; readonly verify: boolean }
  | {
      readonly do: 'spawn'
      readonly name: string
      /** What the child does. */
      readonly program: Program
      readonly options: SpawnOptions
    }
  /** Waits for the child of the call of this name before it. */
  | { readonly do: 'join'; readonly name: string; readonly child: string }
  | { readonly do: 'all' | 'race'; readonly name: string; readonly branches: readonly (readonly Call[])[] }

/** What an agent does, turn by turn. */
export type Program = readonly (readonly Call[])[]

/** What the agent remembers: what each call gave it, in the order in which it came. */
export interface SimState {
  seen: string[]
  readonly turn: number
}

interface World {
  readonly work: (path: string, run: string, signal: AbortSignal) => Promise<{ path: string; value: number }>
  readonly pay: (
    path: string,
    run: string,
    key: string,
    signal: AbortSignal,
  ) => Promise<{ path: string; key: string }>
  readonly takeBack: (path: string, run: string, key: string, signal: AbortSignal) => Promise<void>
  readonly look: (key: string) => boolean
  readonly joined: (how: 'done' | 'failed') => void
  readonly fail: (what: string) => void
}

type SimCtx = Ctx<{ world: ReturnType<typeof need<World>> }, { note: typeof anything }>

/** The length of a bulky result, in UTF-16 units. */
const bulkChars = 40_000

const anything = {
  '~standard': { version: 1, vendor: 'waystone', validate: (value: unknown) => ({ value: value as string }) },
} as const

/** Throws a program: two to four turns of one to four calls. */
export function throwProgram(dice: Dice): Program {
  let names = 0
  const call = (depth: number): Call => {
    names += 1
    const name = `${'abcdefgh'[dice.below(8)] ?? 'a'}${String(names)}`
    const kind = dice.below(depth > 0 ? 10 : 15)
    if (kind < 3) return { do: 'step', name }
    if (kind === 3) return { do: 'drain', name }
    if (kind < 6) return { do: 'once', name, verify: dice.chance(0.4) }
    if (kind === 6) return { do: 'ask', name }
    if (kind === 7) return { do: 'receive', name }
    if (kind === 8) return { do: 'random', name }
    if (kind === 9) return { do: 'artifact', name }
    if (kind === 10) return { do: 'sleep', name }
    if (kind === 11) return { do: 'stream', name }
    if (kind === 12) return { do: 'label', name }
    const branches = Array.from({ length: 2 + dice.below(2) }, () =>
      // Two branches that both begin with steps of the same names: only their paths tell them apart.
      Array.from({ length: 1 + dice.below(2) }, (_, index) =>
        dice.chance(0.5) ? { do: 'step' as const, name: `s${String(index)}` } : call(depth + 1),
      ),
    )
    return { do: dice.chance(0.25) ? 'race' : 'all', name, branches }
  }
  const turns = Array.from({ length: 2 + dice.below(3) }, () =>
    Array.from({ length: 1 + dice.below(4) }, () => call(0)),
  )
  if (!dice.chance(0.01)) return turns
  return [...turns, ...turns].map((calls, turn) => [{ do: 'bulk', name: `bulk${String(turn)}` }, ...calls])
}

/** The same program with two more effects at the end of each turn. */
export function withEffects(program: Program): Program {
  return program.map((turn, index) => [
    ...turn,
    { do: 'once', name: `first${String(index)}`, verify: true },
    { do: 'once', name: `second${String(index)}`, verify: false },
  ])
}

/**
 * The same program with children in most of its turns, and nothing that waits for messages: so that whoever waits, waits for
 * a child. Some children wait for ever, and are cancelled with their parent, or when their time is over.
 */
export function withChildren(program: Program, dice: Dice, depth = 1): Program {
  let names = 0
  const quiet = (call: Call): Call => {
    if (call.do === 'receive') return { ...call, do: 'drain' }
    return 'branches' in call ? { ...call, branches: call.branches.map((calls) => calls.map(quiet)) } : call
  }
  const family = (): readonly Call[] => {
    names += 1
    const name = `child${String(names)}`
    const stays = dice.chance(0.3)
    const helped = throwProgram(dice).slice(0, 1 + dice.below(2))
    const own = withChildren(helped, dice, depth - 1)
    const options: SpawnOptions = {
      ...(dice.chance(0.3) ? { at: 'edge' } : {}),
      ...(dice.chance(0.3) ? { attempts: 2 } : {}),
      ...(stays || dice.chance(0.2) ? { deadline: '20s' } : {}),
    }
    const spawn: Call = {
      do: 'spawn',
      name,
      program: stays ? [...own, [{ do: 'receive', name: 'stay' }]] : own,
      options,
    }
    const between: readonly Call[] = dice.chance(0.5) ? [{ do: 'step', name: `beside${String(names)}` }] : []
    return dice.chance(0.7)
      ? [spawn, ...between, { do: 'join', name: `joined${String(names)}`, child: name }]
      : [spawn, ...between]
  }
  return program.map((turn) => [
    ...turn.map(quiet),
    ...(depth >= 0 && dice.chance(depth === 1 ? 0.8 : 0.2) ? family() : []),
  ])
}

/** The same program as somebody has changed it: one turn does something else first. */
export function changeProgram(program: Program, dice: Dice): Program {
  const changed = dice.below(program.length)
  return program.map((turn, index) => (index === changed ? [{ do: 'step', name: 'new' }, ...turn] : turn))
}

/** An agent that follows a program; a forgetful one makes a snapshot after each turn, and keeps no more than it must. */
export function simAgent(program: Program, version: number, isForgetful: boolean) {
  return defineAgent({
    name: 'sim',
    version,
    needs: { world: need<World>() },
    inbox: { note: anything },
    retention: { turns: isForgetful ? 0 : 2, age: 0 },
    snapshots: isForgetful ? { turns: 1 } : {},
    migrate: Object.fromEntries(
      Array.from({ length: version - 1 }, (_, index) => [index + 2, (state: SimState) => state]),
    ),
    initial: (): SimState => ({ seen: [], turn: 0 }),
    async turn(ctx, state: OpenState) {
      return (await play(ctx as unknown as SimCtx, program, state)) ?? done(state.seen.length)
    },
  })
}

/** The agent of children: what each does it is given. */
export const helperAgent = defineAgent({
  name: 'helper',
  version: 1,
  needs: { world: need<World>() },
  inbox: { note: anything },
  initial: (program: Program): SimState & { readonly program: Program } => ({ program, seen: [], turn: 0 }),
  async turn(ctx, state: OpenState & { readonly program: Program }) {
    return (await play(ctx as unknown as SimCtx, state.program, state)) ?? done<Helped>({ run: ctx.run })
  },
})

/** What a child gives its parent. */
interface Helped {
  readonly run: string
}

type OpenState = { seen: string[]; turn: number }

/** One turn of a program; undefined after its last one. */
async function play(ctx: SimCtx, program: Program, state: OpenState) {
  const seen: string[] = []
  await perform(ctx, program[state.turn % program.length] ?? [], String(ctx.turn), seen)
  // What was sent in time is taken, whatever the program has asked for.
  if (state.turn + 1 >= program.length) seen.push(...(await ctx.drain('note', { key: 'rest' })))
  // A bulky state does not grow for ever.
  state.seen = [...state.seen, ...seen].slice(-20)
  state.turn += 1
  if (state.turn >= program.length) return undefined
  return state.turn % 2 === 0 ? next({ after: '2s' }) : next()
}

/** The agent with the world as a host of it reaches it. */
export function inWorld(
  agent: ReturnType<typeof simAgent> | typeof helperAgent,
  simulated: SimWorld & { readonly effects: Effects },
  where: Where,
): AnyAgent {
  const { effects, coverage } = simulated
  return agent.provide({
    world: {
      work: (path, run, signal) => effects.guarded(effects.work(where, run, path, signal)),
      pay: (path, run, key, signal) => effects.guarded(effects.pay(where, run, path, key, signal)),
      takeBack: (path, run, key, signal) => effects.guarded(effects.takeBack(where, run, path, key, signal)),
      look: (key) => effects.look(key),
      joined: (how) => coverage.hit('joined', how),
      fail: (what) => simulated.fail(what),
    },
  })
}

async function perform(ctx: SimCtx, calls: readonly Call[], scope: string, seen: string[]): Promise<void> {
  const children = new Map<string, Child<Helped>>()
  for (const call of calls) {
    const path = `${scope}/${call.name}`
    const got =
      call.do === 'spawn' || call.do === 'join'
        ? await family(ctx, call, children)
        : await one(ctx, call, path, seen)
    seen.push(`${path}=${got}`)
  }
}

async function family(
  ctx: SimCtx,
  call: Extract<Call, { do: 'spawn' | 'join' }>,
  children: Map<string, Child<Helped>>,
): Promise<string> {
  const { world } = ctx.use
  if (call.do === 'spawn') {
    const child = await ctx.spawn(call.name, helperAgent, call.program, call.options)
    children.set(call.name, child)
    return child.run
  }
  const child = children.get(call.child)
  if (child === undefined) return 'nobody'
  try {
    const { run } = await ctx.join(child)
    world.joined('done')
    // A fork starts later attempts of its own at a child that it shares.
    const isOwn = ctx.run.startsWith('fork') && !run.endsWith('-1')
    if (childStem(parseRunId(run)) !== childStem(child.run) && !isOwn)
      world.fail(`${ctx.run} was given the result of ${run} as that of ${child.run}`)
    return 'helped'
  } catch (error) {
    if (isWaystoneError(error, 'interrupted')) throw error
    if (!isWaystoneError(error, 'child_failed'))
      world.fail(`${ctx.run} has lost its child ${child.run}: ${String(error)}`)
    world.joined('failed')
    return 'not helped'
  }
}

async function one(
  ctx: SimCtx,
  call: Exclude<Call, { do: 'spawn' | 'join' }>,
  path: string,
  seen: string[],
): Promise<string> {
  const { run } = ctx
  const { world } = ctx.use
  const mine = (got: { readonly path: string }, what: string): string => {
    if (got.path !== path) world.fail(`${path} of ${run} was given the result of ${got.path}`)
    return what
  }
  switch (call.do) {
    case 'step': {
      const got = await ctx.step(call.name, ({ signal }) => world.work(path, run, signal))
      return mine(got, String(got.value))
    }
    case 'stream': {
      const got = await ctx.stream(call.name, async ({ signal, out }) => {
        await out.write(`${path} `)
        return world.work(path, run, signal)
      })
      return mine(got, String(got.value))
    }
    case 'bulk': {
      // So much that snapshots become due and history is let go.
      const got = await ctx.step(call.name, async ({ signal }) => ({
        ...(await world.work(path, run, signal)),
        text: path.repeat(bulkChars / path.length),
      }))
      return mine(got, got.text)
    }
    case 'artifact': {
      const stored = await ctx.artifact(call.name, async ({ signal }) =>
        JSON.stringify(await world.work(path, run, signal)),
      )
      return stored.hash.slice(0, 8)
    }
    case 'once': {
      const verify = ({ idempotencyKey }: { readonly idempotencyKey: string }) =>
        Promise.resolve(
          world.look(idempotencyKey)
            ? { done: true as const, value: { path, key: idempotencyKey } }
            : { done: false as const },
        )
      const got = await ctx
        .once(
          call.name,
          {
            timeout: '10s',
            ...(call.verify ? { verify } : {}),
            undo: ({ signal, idempotencyKey }) => world.takeBack(path, run, idempotencyKey, signal),
          },
          ({ signal, idempotencyKey }) => world.pay(path, run, idempotencyKey, signal),
        )
        .catch((error: unknown) => ({ path, key: String(error) }))
      return mine(got, 'paid')
    }
    case 'ask': {
      const answer = await ctx.ask<string>(call.name, { question: path })
      return answer.status === 'answered' ? answer.value : 'expired'
    }
    case 'receive':
      return ctx.receive('note', { key: call.name })
    case 'drain':
      return (await ctx.drain('note', { key: call.name })).join()
    case 'sleep':
      await ctx.sleep(call.name, '3s')
      return 'slept'
    case 'label':
      await ctx.label(call.name)
      return 'labelled'
    case 'random':
      return String(ctx.random())
    case 'all':
      await ctx.all(call.name, branchesOf(call.branches, path, seen))
      return 'all'
    case 'race':
      return (await ctx.race(call.name, branchesOf(call.branches, path, seen))).name
  }
}

function branchesOf(branches: readonly (readonly Call[])[], path: string, seen: string[]) {
  return Object.fromEntries(
    branches.map((calls, index) => {
      const name = `b${String(index)}`
      return [name, (ctx: unknown) => perform(ctx as SimCtx, calls, `${path}/${name}`, seen)]
    }),
  )
}
