import { cpus, totalmem } from 'node:os'
import { argv, stdout, version } from 'node:process'

/** An aim that an issue names, and whether it holds. */
export interface Aim {
  readonly name: string
  readonly value: number
  readonly aim: number
  /** Whether the aim is the most that is wanted, or the least. */
  readonly wanted: 'at most' | 'at least'
  readonly unit: string
  readonly holds: boolean
}

/** An aim that is met by values up to `aim`. */
export function atMost(name: string, value: number, aim: number, unit: string): Aim {
  return { name, value: round(value), aim, wanted: 'at most', unit, holds: value <= aim }
}

/** An aim that is met by values from `aim` on. */
export function atLeast(name: string, value: number, aim: number, unit: string): Aim {
  return { name, value: round(value), aim, wanted: 'at least', unit, holds: value >= aim }
}

/** The machine that figures were taken on. */
export function machine(): {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
} {
  const processors = cpus()
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: version,
  }
}

/** Prints a report: lines for people, and with `--json` one JSON object as the last line. */
export function report(
  lines: readonly string[],
  figures: { readonly name: string; readonly aims: readonly Aim[]; readonly [figure: string]: unknown },
): void {
  for (const line of lines) stdout.write(`${line}\n`)
  for (const { name, value, aim, wanted, unit, holds } of figures.aims)
    stdout.write(
      `${holds ? 'holds' : 'MISSED'}  ${name}: ${String(value)} ${unit} (aim: ${wanted} ${String(aim)})\n`,
    )
  if (argv.includes('--json')) stdout.write(`${JSON.stringify({ machine: machine(), ...figures })}\n`)
}

/** The value below which a share of the numbers lies. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** Three digits after the point. */
export function round(number: number): number {
  return Math.round(number * 1_000) / 1_000
}
