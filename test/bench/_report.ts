import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { argv, stdout, version } from 'node:process'
import { engineNames, findEngine } from '../../scripts/engines.mjs'

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

/** The machine that figures were taken on, and what ran there. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly versions: Readonly<Record<string, string>>
}

/** This machine. */
export function machine(): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    versions: { node: version, ...workerdVersion(), ...engineVersions() },
  }
}

function workerdVersion(): Readonly<Record<string, string>> {
  const { version: found } = createRequire(import.meta.url)('workerd/package.json') as { version: string }
  return { workerd: found }
}

function engineVersions(): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of engineNames) {
    const [program] = findEngine(name).paths
    if (program === undefined) continue
    // WebKit's driver does not tell its version; the package that it came in does.
    const command = name === 'webkit' ? ['dpkg-query', '--show', 'webkit2gtk-driver'] : [program, '--version']
    const told = spawnSync(command[0] as string, command.slice(1), { encoding: 'utf8' })
    const [number] = /\d+(\.\d+)+/.exec(told.stdout ?? '') ?? []
    if (number !== undefined) found[name] = number
  }
  return found
}

/**
 * Prints a report: lines for people, and with `--json` one JSON object as the last line. With `--keep` it is kept for the
 * page of measurements.
 */
export function report(
  lines: readonly string[],
  figures: { readonly name: string; readonly aims: readonly Aim[]; readonly [figure: string]: unknown },
): void {
  for (const line of lines) stdout.write(`${line}\n`)
  for (const { name, value, aim, wanted, unit, holds } of figures.aims)
    stdout.write(
      `${holds ? 'holds' : 'MISSED'}  ${name}: ${String(value)} ${unit} (aim: ${wanted} ${String(aim)})\n`,
    )
  const whole = { machine: machine(), ...figures }
  if (argv.includes('--json')) stdout.write(`${JSON.stringify(whole)}\n`)
  if (!argv.includes('--keep')) return
  mkdirSync(keptFolder, { recursive: true })
  const kept = { date: new Date().toISOString().slice(0, 10), ...whole }
  writeFileSync(join(keptFolder, `${figures.name}.json`), `${JSON.stringify(kept, null, 2)}\n`)
}

const keptFolder = join(import.meta.dirname, '../../docs/measured')

/** The value below which a share of the numbers lies. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** Three digits after the point. */
export function round(number: number): number {
  return Math.round(number * 1_000) / 1_000
}
