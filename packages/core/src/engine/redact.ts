import { WaystoneError } from '../errors.ts'
import type { RedactOptions } from './ctx.ts'
import type { Ran } from './run-step.ts'

/**
 * What a body gave as it may be recorded. Whatever is said by an error, and by what `redact` itself throws, is left out:
 * it may be what was to be left out.
 */
export function redacted(ran: Ran, path: string, options: RedactOptions<unknown>): Ran {
  const { redact } = options
  if ('error' in ran) return { ...ran, error: redactedError(ran.error, path, options) }
  if (redact === undefined) return ran
  try {
    const value: unknown = redact(ran.value)
    if (!(value instanceof Promise)) return { ...ran, value }
    value.catch(() => undefined)
  } catch {
    // Nobody hears it, and nobody what a promise rejects with: that may be what was to be left out.
  }
  const { aborted, timedOut } = ran
  return { aborted, timedOut, error: redactFailed(path) }
}

/** The same of an error alone: its code stays, what it says does not. */
export function redactedError(
  error: unknown,
  path: string,
  { redact, redactError }: RedactOptions<unknown>,
): unknown {
  if (redact === undefined && redactError === undefined) return error
  const known = error instanceof WaystoneError
  return new WaystoneError(
    known ? error.code : 'step_failed',
    wordsOf(error, redactError) ??
      `"${path}" failed; what its error said is left out, since it has \`redact\``,
    { path, ...(known ? { actions: error.actions } : {}) },
  )
}

function wordsOf(error: unknown, redactError: RedactOptions<unknown>['redactError']): string | undefined {
  try {
    return redactError === undefined ? undefined : String(redactError(error))
  } catch {
    return undefined
  }
}

function redactFailed(path: string): WaystoneError {
  return new WaystoneError(
    'step_failed',
    `\`redact\` of "${path}" threw, or gave a promise: nothing of its result was recorded. Mend it; what it threw is left out, too`,
    { path },
  )
}
