import type { Retention } from '../log/bodies.ts'
import type { Fold } from '../log/fold.ts'
import { optionRefused } from './above-zero.ts'
import type { AnyAgent } from './agent.ts'
import { durationMs, type Duration } from './duration.ts'

/**
 * How much history of its runs an agent wants to be kept. What one of them asks for stays, whatever the others say; what
 * is nowhere but here stays always. `'all'` keeps everything.
 */
export type RetentionOption =
  | 'all'
  | {
      /** The newest turns. Default 1,000. */
      readonly turns?: number
      /** What is not older than this. Default 30 days. */
      readonly age?: Duration
      /** Checkpoints that `ctx.label` has named. Default true. */
      readonly labels?: boolean
    }

/**
 * What is to be kept of a run, undefined: everything. Its agent says so, if it is known here; else those who wrote the run, as
 * of a session, which has no agent.
 */
export function retentionHere(fold: Fold, agent: AnyAgent | undefined): Retention | undefined {
  return agent ? retentionOf(agent.retention) : fold.retention
}

const named = '`retention` of an agent'

/**
 * What an option says, with its defaults; undefined: everything is kept. Throws `input_refused` for one that cannot be read: nothing would
 * be let go by it, and no snapshot be made.
 */
export function retentionOf(option: RetentionOption = 'all'): Retention | undefined {
  if (option === 'all') return undefined
  if (typeof option !== 'object' || option === null) throw optionRefused(named, `'all' or an object`, option)
  const { turns = 1_000, age = '30d', labels = true } = option
  if (turns !== Infinity && (!Number.isSafeInteger(turns) || turns < 0))
    throw optionRefused(named, '`turns` as a whole number from 0 on', turns)
  return { turns, ms: durationMs(age), labels }
}
