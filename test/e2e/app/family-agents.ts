import { defineAgent, done, fail, type TurnEnd, type WaystoneError } from '@waystone/core'

/** Tells the outside server what it does, sleeps, and ends with its name; one whose name begins with `bad` fails. */
export const helper = defineAgent({
  name: 'helper',
  version: 1,
  initial: (input: { server: string; name: string; napMs: number }) => ({ ...input }),
  async turn(ctx, { server, name, napMs }) {
    await ctx.step('work', async ({ idempotencyKey, signal }) => {
      const headers = { 'idempotency-key': idempotencyKey }
      await fetch(`${server}/effect/${name}`, { method: 'POST', headers, signal })
    })
    if (napMs > 0) await ctx.sleep('nap', napMs)
    return name.startsWith('bad') ? fail('no good') : done(name)
  },
})

/** Starts helpers, and ends with what became of each; `leaves`: without having waited for any. */
export const boss = defineAgent({
  name: 'boss',
  version: 1,
  initial: (input: {
    server: string
    names: string[]
    napMs: number
    at?: 'edge' | 'browser'
    attempts?: number
    deadlineMs?: number
    leaves?: boolean
  }) => ({ ...input }),
  async turn(ctx, state) {
    const { server, names, napMs, at, attempts, deadlineMs, leaves } = ctx.current(state)
    const options = {
      ...(at ? { at } : {}),
      ...(attempts ? { attempts } : {}),
      ...(deadlineMs ? { deadline: deadlineMs } : {}),
    }
    const children = await ctx.map('start', names, { key: String }, (c, name) =>
      c.spawn(name, helper, { server, name, napMs }, options),
    )
    if (leaves) return done<(string | undefined)[]>([])
    const ends = await ctx.map('wait', children, { key: ({ path }) => path }, (c, child) =>
      c.join(child).catch(({ code }: WaystoneError) => code),
    )
    return done(ends)
  },
})

/** Starts a boss, whose helpers are its grandchildren, and waits for it. */
export const owner = defineAgent({
  name: 'owner',
  version: 1,
  initial: (input: { server: string; names: string[]; napMs: number }) => ({ ...input }),
  async turn(ctx, state) {
    return done(await ctx.join(await ctx.spawn('boss', boss, ctx.current(state))))
  },
})

/** Starts one of its own kind, and ends with how many there were below it, and why there were no more. */
export const endless = defineAgent({
  name: 'endless',
  version: 1,
  initial: () => ({}),
  async turn(ctx): Promise<TurnEnd<string[]>> {
    try {
      return done(['one', ...(await ctx.join(await ctx.spawn('next', itself(), null as never)))])
    } catch (error) {
      return done([(error as WaystoneError).code])
    }
  },
})
function itself(): typeof endless {
  return endless
}

export const familyAgents = [helper, boss, owner, endless]
