import { isRunId, WaystoneError } from '@waystone/core'

/**
 * What one may do with a run at the edge.
 * - `read`: its entries, its blobs, and to follow it
 * - `append`: to write it as its owner, and to cancel, rewind or retry it
 * - `claim`: to become its owner, or to make the edge its owner
 * - `answer`: to see what it asks, to answer, and to decide about effects whose outcome is unknown
 * - `send`: to send it messages, and to interrupt it
 * - `fork`: to begin a run with blobs of this one
 * - `delete`: to delete it
 * - `share`: to make links to it, and to take them back
 */
export const operations = ['read', 'append', 'claim', 'answer', 'send', 'fork', 'delete', 'share'] as const

/** One of `operations`. */
export type Operation = (typeof operations)[number]

/** Who asks the edge, and for what. */
export interface Grant {
  /** Whose runs: tenants see nothing of each other. 1 to 100 characters of `A-Z a-z 0-9 . _ ~ -`. */
  readonly tenant: string
  /**
   * The user or service that asks; runs show it as the sender of messages and answers, and a device belongs to the first
   * subject that writes as it. Without one the sender is what the request says.
   */
  readonly subject?: string
  /** Which runs: ids, or what ids begin with, followed by `*`. `['*']` is every run of the tenant. */
  readonly runs: readonly string[]
  readonly operations: readonly Operation[]
  /** When it ends, in ms since 1970. */
  readonly until?: number
}

/** What a narrower grant is left with; what is not named stays as it was. */
export interface Restriction {
  readonly runs?: readonly string[]
  readonly operations?: readonly Operation[]
  readonly until?: number
}

const patternsMax = 100
const subjectCharsMax = 200

/** True when the grant has this operation, at least one of these, for a run. */
export function allows(grant: Grant, run: string, operation: Operation | readonly Operation[]): boolean {
  const wanted: readonly Operation[] = typeof operation === 'string' ? [operation] : operation
  return (
    wanted.some((one) => grant.operations.includes(one)) && grant.runs.some((pattern) => covers(pattern, run))
  )
}

/** The grant with a restriction: never more than either of them has. */
export function narrowed(grant: Grant, { runs, operations: kept, until }: Restriction): Grant {
  const ends = [grant.until, until].filter((one) => one !== undefined)
  return {
    ...grant,
    runs: runs === undefined ? grant.runs : common(grant.runs, runs),
    operations: kept === undefined ? grant.operations : grant.operations.filter((one) => kept.includes(one)),
    ...(ends.length === 0 ? {} : { until: Math.min(...ends) }),
  }
}

/** Checks a grant that comes from outside. Throws `input_refused`. */
export function parseGrant(value: unknown): Grant {
  const grant = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const { subject, until } = grant
  if (subject !== undefined && !isText(subject, subjectCharsMax))
    throw refused(`a subject of 1 to ${String(subjectCharsMax)} characters`, subject)
  if (until !== undefined && !Number.isSafeInteger(until)) throw refused('an end in ms since 1970', until)
  return {
    tenant: parseTenant(grant['tenant']),
    ...(subject === undefined ? {} : { subject }),
    runs: parsePatterns(grant['runs']),
    operations: parseOperations(grant['operations']),
    ...(until === undefined ? {} : { until: until as number }),
  }
}

/** Checks the name of a tenant: tenants and runs are named alike. Throws `input_refused`. */
export function parseTenant(value: unknown): string {
  if (isRunId(value)) return value
  throw refused('a tenant of 1 to 100 characters of A-Z a-z 0-9 . _ ~ -', value)
}

/** Checks patterns of run ids. Throws `input_refused`. */
export function parsePatterns(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length <= patternsMax && value.every(isPattern)) return value
  throw refused(`at most ${String(patternsMax)} ids of runs, or what ids begin with and "*"`, value)
}

/** Checks a list of operations. Throws `input_refused`. */
export function parseOperations(value: unknown): readonly Operation[] {
  if (Array.isArray(value) && value.every(isOperation)) return value
  throw refused(`a list of ${operations.join(', ')}`, value)
}

/** The patterns that say what two lists of them have in common. */
function common(some: readonly string[], others: readonly string[]): readonly string[] {
  const pairs = some.flatMap((one) => others.map((other) => [one, other] as const))
  const both = pairs.flatMap(([one, other]) =>
    covers(one, other) ? [other] : covers(other, one) ? [one] : [],
  )
  return [...new Set(both)]
}

/** True when a pattern of a grant's `runs` has a run, or all that another pattern has. */
export function covers(pattern: string, other: string): boolean {
  return pattern.endsWith('*') ? other.startsWith(pattern.slice(0, -1)) : pattern === other
}

function isPattern(value: unknown): value is string {
  return (
    value === '*' || (typeof value === 'string' && isRunId(value.endsWith('*') ? value.slice(0, -1) : value))
  )
}

function isOperation(value: unknown): value is Operation {
  return (operations as readonly unknown[]).includes(value)
}

function isText(value: unknown, charsMax: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= charsMax
}

function refused(expected: string, found: unknown): WaystoneError {
  const text = JSON.stringify(found) ?? 'nothing'
  return new WaystoneError('input_refused', `expected ${expected}, found ${text.slice(0, 80)}`)
}
