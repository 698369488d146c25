import { isWaystoneError } from '@waystone/core'
import { doneWith, oneTurn, type EngineCase } from '../engine-case.ts'

const race: EngineCase = {
  name: 'race() aborts its losers, and gives the same winner after a kill',
  agent: oneTurn('race', async (ctx, reach) => {
    const seen: unknown[] = []
    const won = await ctx.race('fastest', {
      quick: (c) => c.step('get', (tools) => reach('quick', tools)),
      slow: async (c) => {
        try {
          return await c.step('get', async (tools) => {
            tools.signal.addEventListener(
              'abort',
              () => void reach('slow is told to stop', { idempotencyKey: tools.idempotencyKey }),
            )
            return reach('slow', tools)
          })
        } catch (error) {
          seen.push(isWaystoneError(error, 'cancelled'), c.signal.aborted)
          throw error
        }
      },
    })
    const after = await ctx.step('after', (tools) => reach('after', tools, { won, seen }))
    return { won, seen, after }
  }),
  async play({ begin, hold, kill }) {
    const [slow, quick, after] = [hold('slow'), hold('quick'), hold('after')]
    const stopped = hold('slow is told to stop')
    await begin()
    await Promise.all([slow.arrived, quick.arrived])
    quick.release()
    await Promise.all([stopped.arrived, after.arrived])
    await kill()
    after.release()
  },
  end: {
    view: doneWith({ won: { name: 'quick', value: 'quick' }, seen: [true, true], after: 'after' }),
    starts: { quick: 1, slow: 1, 'slow is told to stop': 1, after: 2 },
    recorded: ['0/fastest/quick/get', '0/fastest', '0/after'],
  },
}

const any: EngineCase = {
  name: 'any() is decided by the first success, and what failed before is not tried again after a kill',
  agent: oneTurn('any', async (ctx, reach) => {
    const fails = (request: string) => (c: Pick<typeof ctx, 'step'>) =>
      c.step('get', { attempts: 1 }, async (tools): Promise<string> => {
        await reach(request, tools)
        throw new Error(`${request} is sold out`)
      })
    const won = await ctx.any('first', {
      bad: fails('bad'),
      good: (c) => c.step('get', (tools) => reach('good', tools)),
    })
    const none = await ctx
      .any('none', { left: fails('left'), right: fails('right') })
      .catch((error: unknown) =>
        (error as AggregateError).errors.map((one) => (one as Error).message).toSorted(),
      )
    return { won, none }
  }),
  async play({ begin, hold, kill, recorded }) {
    const good = hold('good')
    await begin()
    await good.arrived
    await recorded('0/first/bad/get')
    await kill()
    good.release()
  },
  end: {
    view: doneWith({ won: { name: 'good', value: 'good' }, none: ['left is sold out', 'right is sold out'] }),
    starts: { bad: 1, good: 2, left: 1, right: 1 },
  },
}

const allSettled: EngineCase = {
  name: 'allSettled() tells how each branch ended, and runs none that had ended again after a kill',
  agent: oneTurn('all-settled', async (ctx, reach) => {
    const ends = await ctx.allSettled('both', {
      bad: (c) =>
        c.step('get', { attempts: 1 }, async (tools): Promise<string> => {
          await reach('bad', tools)
          throw new TypeError('no such thing')
        }),
      good: (c) => c.step('get', (tools) => reach('good', tools)),
    })
    const reason = ends.bad.status === 'rejected' ? (ends.bad.reason as Error).message : undefined
    return { bad: ends.bad.status, reason, good: ends.good }
  }),
  async play({ begin, hold, kill, recorded }) {
    const good = hold('good')
    await begin()
    await good.arrived
    await recorded('0/both/bad/get')
    await kill()
    good.release()
  },
  end: {
    view: doneWith({
      bad: 'rejected',
      reason: 'no such thing',
      good: { status: 'fulfilled', value: 'good' },
    }),
    starts: { bad: 1, good: 2 },
    recorded: ['0/both/bad/get', '0/both/good/get'],
  },
}

const all: EngineCase = {
  name: 'all() rejects with the first error once every branch has ended, also after a kill in between',
  agent: oneTurn('all', async (ctx, reach) => {
    const ended: string[] = []
    const error = await ctx
      .all('both', {
        bad: async (c) => {
          await c.step('get', { attempts: 1 }, async (tools) => {
            await reach('bad', tools)
            throw new Error('bad has failed')
          })
        },
        good: async (c) => {
          await c.step('get', (tools) => reach('good', tools))
          ended.push('good')
        },
      })
      .catch((thrown: unknown) => (thrown as Error).message)
    const both = await ctx.all('more', {
      left: (c) => c.step('get', (tools) => reach('left', tools)),
      right: (c) => c.step('get', (tools) => reach('right', tools)),
    })
    return { error, ended, both }
  }),
  async play({ begin, hold, kill, recorded }) {
    const [good, left, right] = [hold('good'), hold('left'), hold('right')]
    await begin()
    await good.arrived
    await recorded('0/both/bad/get')
    await kill()
    good.release()
    await Promise.all([left.arrived, right.arrived])
    left.release()
    await recorded('0/more/left/get')
    await kill()
    right.release()
  },
  end: {
    view: doneWith({ error: 'bad has failed', ended: ['good'], both: { left: 'left', right: 'right' } }),
    starts: { bad: 1, good: 2, left: 1, right: 2 },
    recorded: ['0/both/bad/get', '0/both/good/get', '0/more/left/get', '0/more/right/get'],
  },
}

/** Branches that run at once. */
export const combinatorCases = [race, any, allSettled, all]
