import { WaystoneError } from '../errors.ts'
import { durationMs, type Duration } from './duration.ts'

/** The count of an option, if it has one. Throws `input_refused` unless it is a whole number from 1 on. */
export function countAboveZero(option: string, count: number | undefined): number | undefined {
  if (count === undefined || (Number.isSafeInteger(count) && count > 0)) return count
  throw optionRefused(option, 'a whole number from 1 on', count)
}

/** The same of an option that `Infinity` may be said for: as many as it takes. */
export function countOrInfinity(option: string, count: number | undefined): number | undefined {
  return count === Infinity ? count : countAboveZero(option, count)
}

/** The number of an option, if it has one. Throws `input_refused` unless it is above 0. */
export function numberAboveZero(option: string, number: number | undefined): number | undefined {
  if (number === undefined || (Number.isFinite(number) && number > 0)) return number
  throw optionRefused(option, 'a number above 0', number)
}

/** The duration of an option in ms, if it has one. Throws `input_refused` unless it is readable and above 0. */
export function msAboveZero(option: string, duration: Duration | undefined): number | undefined {
  const ms = duration === undefined ? undefined : durationMs(duration)
  if (ms === 0) throw optionRefused(option, 'a duration above 0', duration)
  return ms
}

/** The error for an option that cannot be taken. */
export function optionRefused(option: string, expected: string, found: unknown): WaystoneError {
  return new WaystoneError('input_refused', `the ${option}: expected ${expected}, found ${String(found)}`)
}
