import { launchEngine, type EngineName } from '../harness/engines.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import { servePage } from './_serve-page.ts'
import type { ResumeTimes } from './pages/resume-page.ts'

// Opening a run, verified and folded, beside reading the same bytes raw, each from a database that was closed.

const rounds = 15
/** The aims of issue "A checkpoint costs what changed". */
const ratioMax = 2
const msMax: Partial<Record<EngineName, number>> = { chromium: 100, firefox: 250 }
const cases = { deltas: '1 MB and 600 turns', compacted: '10,000 turns, compacted' } as const

const server = await servePage('resume')
const figures: {
  engine: EngineName
  what: string
  openMs: number
  rawMs: number
  ratio: number
  bytes: number
  records: number
}[] = []
for (const name of ['chromium', 'firefox'] as const) {
  const engine = await launchEngine(name)
  const page = await engine.newPage()
  await page.goto(`${server.url}/`)
  await page.waitFor('window.resume !== undefined')
  for (const [key, what] of Object.entries(cases)) {
    const { open, raw, bytes, records } = await page.evaluate<ResumeTimes>(`resume.${key}(${String(rounds)})`)
    const openMs = round(quantile(open, 0.5))
    const rawMs = round(quantile(raw, 0.5))
    figures.push({ engine: name, what, openMs, rawMs, ratio: round(openMs / rawMs), bytes, records })
  }
  await engine.close()
}
await server.close()

const aims: Aim[] = figures.flatMap(({ engine, what, openMs, ratio }) => [
  atMost(`opening beside reading raw, ${engine}, ${what}`, ratio, ratioMax, 'x'),
  atMost(`opening, ${engine}, ${what}`, openMs, msMax[engine] ?? 0, 'ms'),
])
report(
  figures.map(
    ({ engine, what, openMs, rawMs, ratio, bytes, records }) =>
      `${engine.padEnd(9)} ${what.padEnd(24)} open ${openMs.toFixed(1)} ms  raw ${rawMs.toFixed(1)} ms  ${ratio.toFixed(2)}x  ${(bytes / 1e6).toFixed(2)} MB in ${String(records)} lines and chunks`,
  ),
  { name: 'resume', rounds, figures, aims },
)
