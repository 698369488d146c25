/** Every code an error of Waystone can carry. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  // values and state
  | 'value_refused'
  | 'delta_refused'
  | 'state_locked'
  // the log
  | 'entry_refused'
  | 'format_newer'
  | 'log_damaged'
  | 'head_moved'
  | 'blob_missing'
  | 'checkpoint_gone'
  | 'key_missing'
  | 'rolled_back'
  | 'limit_exceeded'
  // runs
  | 'run_unknown'
  | 'run_exists'
  | 'run_ended'
  | 'run_deleted'
  | 'run_paused'
  | 'agent_unknown'
  | 'input_refused'
  | 'not_owner'
  | 'move_refused'
  | 'move_unknown'
  // the turn
  | 'divergence'
  | 'not_replayable'
  | 'version_skew'
  | 'key_taken'
  | 'scope_busy'
  | 'call_open'
  | 'waits_outside'
  | 'need_missing'
  | 'step_failed'
  | 'step_timeout'
  | 'child_failed'
  | 'outcome_unknown'
  | 'no_progress'
  | 'budget_spent'
  | 'cancelled'
  | 'interrupted'
  // people
  | 'ask_unknown'
  | 'answer_taken'
  | 'answer_refused'
  // places
  | 'unreachable'
  | 'unauthorized'
  | 'forbidden'
  | 'request_refused'
  | 'too_large'
  | 'storage_failed'
  | 'storage_full'
  | 'storage_lost'
  | 'closed'
  | 'bug'

/** What a person or a program can do about a pause or an error; code and UI carry these out by name. */
export type Action =
  'retry' | 'restart' | 'answer' | 'decide' | 'fork' | 'rewind' | 'cancel' | 'move' | 'reload'

/** What an error carries besides its code and message. */
export interface ErrorOptions {
  readonly cause?: unknown
  readonly run?: string
  readonly path?: string
  readonly details?: unknown
  readonly actions?: readonly Action[]
}

/** An error as it crosses HTTP, postMessage and the log. The inverse of `fromWire`. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly run?: string
  readonly path?: string
  readonly details?: unknown
  readonly actions?: readonly Action[]
  /** The cause's name and message; its stack stays where it was thrown. */
  readonly cause?: { readonly name: string; readonly message: string }
}

/** The one error class of Waystone. Match on `code`, never on the message. */
export class WaystoneError extends Error {
  override readonly name = 'WaystoneError'
  readonly code: ErrorCode
  readonly run: string | undefined
  readonly path: string | undefined
  readonly details: unknown
  readonly actions: readonly Action[]

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.run = options.run
    this.path = options.path
    this.details = options.details
    this.actions = options.actions ?? []
  }
}

/** True for an error of Waystone, with this code when one is named. */
export function isWaystoneError(error: unknown, code?: ErrorCode): error is WaystoneError {
  return error instanceof WaystoneError && (code === undefined || error.code === code)
}

/** True for an error of Waystone with one of these codes. */
export function isOneOf(error: unknown, codes: readonly ErrorCode[]): error is WaystoneError {
  return isWaystoneError(error) && codes.includes(error.code)
}

/** True when a storage could not do its work: that may pass, and says nothing about the run. */
export function isStorageError(error: unknown): boolean {
  return isOneOf(error, storageCodes)
}

const storageCodes: readonly ErrorCode[] = ['storage_failed', 'storage_full', 'storage_lost', 'closed']

/** An error as plain data. An error of another class keeps its name and message as the cause. */
export function toWire(error: unknown, fallback: ErrorCode = 'bug'): WireError {
  if (!(error instanceof WaystoneError)) {
    const cause = nameAndMessage(error)
    return { code: fallback, message: cause.message, cause }
  }
  return {
    code: error.code,
    message: error.message,
    ...(error.run === undefined ? {} : { run: error.run }),
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.actions.length === 0 ? {} : { actions: error.actions }),
    ...(error.cause === undefined ? {} : { cause: nameAndMessage(error.cause) }),
  }
}

/** The error that `toWire` made plain. Anything else becomes an error with the code `fallback`. */
export function fromWire(wire: unknown, fallback: ErrorCode = 'bug'): WaystoneError {
  if (typeof wire !== 'object' || wire === null || !('code' in wire) || !('message' in wire)) {
    return new WaystoneError(fallback, `expected an error in wire form, found ${JSON.stringify(wire)}`)
  }
  const { code, message, cause, ...rest } = wire as WireError
  const options: ErrorOptions = cause === undefined ? rest : { ...rest, cause: namedError(cause) }
  return new WaystoneError(code, String(message), options)
}

/** Throws an error with the code `bug` when `condition` is false: an assertion, not a check of input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new WaystoneError('bug', `${message}. This is a defect of Waystone; please report it`)
}

function nameAndMessage(error: unknown): { name: string; message: string } {
  // Some libraries put something else in their place.
  if (error instanceof Error) return { name: String(error.name), message: String(error.message) }
  try {
    return { name: 'Error', message: String(error) }
  } catch {
    // As of an object without a prototype.
    return { name: 'Error', message: Object.prototype.toString.call(error) }
  }
}

function namedError(cause: { name: string; message: string }): Error {
  const error = new Error(cause.message)
  error.name = cause.name
  return error
}
