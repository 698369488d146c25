import { oneTurn, type CaseCtx, type EngineCase, type Reach } from '../engine-case.ts'

type Turn = (ctx: CaseCtx, reach: Reach) => Promise<unknown>

/** What the turn begins with in each of these: one step that is recorded, one that is under way when the host dies. */
const before: Turn = async (ctx, reach) => {
  const one = await ctx.step('one', { input: 'first' }, (tools) => reach('one', tools))
  return [one, await ctx.step('two', (tools) => reach('two', tools))]
}

/** Other code finds an open turn that it does not fit. `expected` and `found`: the first difference. */
function changed(
  what: string,
  later: Turn,
  difference: { readonly path: string; readonly expected: string | RegExp; readonly found: string | RegExp },
): EngineCase {
  const { path, ...details } = difference
  const name = `other code: ${what}`
  return {
    name: `${name} pauses the run, names the first difference and runs nothing`,
    agent: oneTurn(name, before),
    later: oneTurn(name, later),
    async play({ begin, hold, kill, until, recorded }) {
      const two = hold('two')
      await begin()
      await two.arrived
      await recorded('0/one')
      await kill()
      await until(({ status }) => status === 'paused')
    },
    end: {
      view: {
        status: 'paused',
        pause: { reason: 'divergence', actions: ['retry', 'restart', 'fork', 'cancel', 'rewind'] },
        error: { code: 'divergence', path, details },
      },
      starts: { one: 1, two: 1 },
      recorded: ['0/one'],
    },
  }
}

const expected = 'step "0/one"'

/** Code that has changed between a crash and the host that goes on: it stands still, for a minute before that counts as certain. */
export const standingCases = [
  changed(
    'a step added before',
    async (ctx, reach) => {
      await ctx.step('zero', (tools) => reach('zero', tools))
      return before(ctx, reach)
    },
    { path: '0/one', expected, found: '"0/zero", which is still open' },
  ),
  changed(
    'a step renamed',
    async (ctx, reach) => {
      const one = await ctx.step('uno', { input: 'first' }, (tools) => reach('uno', tools))
      return [one, await ctx.step('two', (tools) => reach('two', tools))]
    },
    { path: '0/one', expected, found: '"0/uno", which is still open' },
  ),
]

/** The same where it is certain at once. */
export const otherCodeCases = [
  changed('a step removed', async () => 'nothing to do', {
    path: '0/one',
    expected,
    found: 'the turn returned',
  }),
  changed(
    'another kind of call under its name',
    async (ctx) => {
      await ctx.sleep('one', 1)
    },
    { path: '0/one', expected, found: 'sleep "0/one"' },
  ),
  changed(
    'another input',
    async (ctx, reach) => ctx.step('one', { input: 'second' }, (tools) => reach('one', tools)),
    {
      path: '0/one',
      expected: /^step "0\/one" with input [0-9a-f]{12}$/,
      found: /^the same with input [0-9a-f]{12}$/,
    },
  ),
]
