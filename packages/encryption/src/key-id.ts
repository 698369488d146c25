import { limits, parseRunId, WaystoneError, type RunId } from '@waystone/core'

/**
 * The name of a key as entries carry it, in the open: `USER.RUN.GENERATION`. The user key that it is derived from, the
 * run that it was made for, and a number that grows when a key was lent and came back.
 */
export interface KeyId {
  readonly user: string
  readonly run: RunId
  readonly generation: number
}

const userPattern = /^[0-9a-z]{1,40}$/

/** The text of a key id. */
export function keyIdText({ user, run, generation }: KeyId): string {
  return `${user}.${run}.${String(generation)}`
}

/** Reads the text of a key id. Throws `input_refused`. */
export function parseKeyId(text: string): KeyId {
  const first = text.indexOf('.')
  const last = text.lastIndexOf('.')
  const user = text.slice(0, Math.max(0, first))
  const number = text.slice(last + 1)
  if (
    text.length > limits.nameCharsMax ||
    last <= first ||
    !userPattern.test(user) ||
    !/^\d{1,9}$/.test(number)
  ) {
    throw new WaystoneError(
      'input_refused',
      `expected the id of a key as USER.RUN.GENERATION, found ${JSON.stringify(text.slice(0, 100))}`,
    )
  }
  return { user, run: parseRunId(text.slice(first + 1, last)), generation: Number(number) }
}
