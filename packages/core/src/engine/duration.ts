import { WaystoneError } from '../errors.ts'

/** Milliseconds, or a number with a unit: `500ms`, `30s`, `5m`, `2h`, `7d`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Ten thousand years: what is added to a time of today stays a whole number. */
const msMax = 315_576_000_000_000

/** A duration in milliseconds. Throws `input_refused` when it is negative, longer than 10,000 years or not readable. */
export function durationMs(duration: Duration): number {
  const match =
    typeof duration === 'number'
      ? [String(duration), String(duration), 'ms']
      : /^([0-9.]+)(ms|s|m|h|d)$/.exec(duration)
  const ms = Number(match?.[1]) * units[(match?.[2] ?? 'ms') as keyof typeof units]
  if (ms >= 0 && ms <= msMax) return Math.round(ms)
  throw new WaystoneError(
    'input_refused',
    `a duration is milliseconds or "500ms", "30s", "5m", "2h", "7d"; found ${JSON.stringify(duration)}`,
  )
}

/** How long there is to wait, in ms: nothing for a time that has passed, which is a negative number of ms. Throws `input_refused`. */
export function waitMs(duration: Duration): number {
  return durationMs(typeof duration === 'number' && duration < 0 ? 0 : duration)
}
