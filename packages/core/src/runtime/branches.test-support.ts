import fc from 'fast-check'
import { defineAgent, done, type AnyAgent } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'

/** A step of a branch: how long it takes, and what it is called with. */
interface Step {
  readonly kind: 'step' | 'once'
  readonly input: number
  readonly ms: number
}

/** Branches of steps, one after the other in each, all branches side by side; then one more. */
export type Program = readonly (readonly Step[])[]

const steps = fc.array(
  fc.record<Step>({ kind: fc.constantFrom('step', 'step', 'once'), input: fc.nat(2), ms: fc.nat(3) }),
  { minLength: 1, maxLength: 4 },
)
export const programs: fc.Arbitrary<Program> = fc.array(steps, { minLength: 1, maxLength: 3 })

/** Its first steps, and others behind them. */
export const changed = (program: Program, keep: number, others: Program): Program =>
  program.map((branch, index) => [...branch.slice(0, keep), ...(others[index] ?? [])])

/** An agent of one turn, which ends with the numbers that its steps gave. `tell` hears of every call of its turn, and of every body. */
export function agentOf(program: Program, tell: (what: string) => void = () => undefined): AnyAgent {
  return defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      tell('turn')
      const branches = program.map((branch, index) => [`b${String(index)}`, walk(branch, tell)] as const)
      const numbers = await ctx.all('all', Object.fromEntries(branches))
      await ctx.step('last', () => 'last')
      return done(numbers)
    },
  })
}

const walk =
  (branch: readonly Step[], tell: (what: string) => void) => async (ctx: Pick<Ctx, 'step' | 'once'>) => {
    const numbers: number[] = []
    for (const [number, { kind, input, ms }] of branch.entries()) {
      const key = `s${String(number)}`
      const body = () => {
        tell(`${kind} ${key}`)
        return new Promise<number>((resolve) => setTimeout(resolve, ms, input))
      }
      numbers.push(
        kind === 'step'
          ? await ctx.step(key, { input }, body)
          : await ctx.once(key, { timeout: '1m', onUnknown: 'fail' }, body),
      )
    }
    return numbers
  }
