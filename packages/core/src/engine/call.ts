import type { Digest } from '../ids.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { Wait } from '../ports/watch.ts'
import type { Branch } from './branch.ts'
import type { OnceOptions } from './ctx.ts'

/** What a call is to replay; a recorded path asked for by another family is a divergence. */
export type Family =
  'step' | 'once' | 'ask' | 'receive' | 'drain' | 'sleep' | 'race' | 'label' | 'spawn' | 'join'

/** One call on `ctx` that a turn has made. */
export interface Call {
  readonly path: string
  readonly family: Family
  /** The verb, for people. */
  readonly kind: string
  readonly input: Digest | undefined
  readonly branch: Branch
  /** How a `once` is taken back. */
  readonly options?: OnceOptions<unknown>
  /** Starts the call once the attempt has caught up; never called for one that has a recorded outcome. */
  readonly begin: (call: Call) => Promise<void>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  phase: 'made' | 'running' | 'parked' | 'settled'
  since: number
  attempt: number
  wait: Wait | undefined
  /** Looks again whether a parked call can go on. */
  poke: (() => Promise<void>) | undefined
  /** Its start record, when an earlier attempt wrote one. */
  start: TurnRecord | undefined
  /** How often its start was recorded, by all attempts at this turn. */
  starts: number
  /** Stops its body. */
  abort: (() => void) | undefined
  /** What its body has reported and no record tells yet. */
  cost: number
}

/** True for calls that count for the budget of a run. */
export function isCounted({ family }: Pick<Call, 'family'>): boolean {
  return family === 'step' || family === 'once' || family === 'spawn'
}

/** The family of a record of a turn; undefined for records that belong to no call. */
export function familyOf(record: TurnRecord): Family | undefined {
  switch (record.kind) {
    case 'step':
      return 'step'
    case 'once.start':
    case 'once':
      return 'once'
    case 'ask':
    case 'answer':
      return 'ask'
    case 'receive':
    case 'drain':
    case 'race':
    case 'label':
    case 'spawn':
    case 'join':
      return record.kind
    case 'sleep':
    case 'wake':
      return 'sleep'
    default:
      return undefined
  }
}

/** True for records that wait for their call to be made, but deliver nothing to it. */
export function isStart(record: TurnRecord): boolean {
  return record.kind === 'once.start' || record.kind === 'ask' || record.kind === 'sleep'
}

/** The path of a record, for those that have one. */
export function pathOf(record: TurnRecord): string {
  return 'path' in record.body ? record.body.path : ''
}

/** The digest of the input that a record was made with. */
export function inputOf(record: TurnRecord): Digest | undefined {
  return record.kind === 'step' ||
    record.kind === 'once.start' ||
    record.kind === 'ask' ||
    record.kind === 'spawn'
    ? record.body.input
    : undefined
}
