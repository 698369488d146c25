import type { Aim, Machine } from '../_report.ts'
import { drawChart, shown } from './chart.ts'
import { chartsOf, type Kept } from './charts.ts'

/** A report with what it was taken on. */
export type KeptReport = Kept & {
  readonly date: string
  readonly machine: Machine
  readonly aims: readonly Aim[]
}

/** What the page says of each benchmark, in the order in which it shows them. */
const intros: Readonly<Record<string, string>> = {
  save: 'A durable commit of a turn that adds two messages to a conversation, beside one raw IndexedDB put of the very bytes that it stored, and beside writing the whole state. A plain state was changed in place, without a draft, and is compared as a whole.',
  resume:
    'Opening a run whose every entry is verified, beside reading the same bytes from the same database and doing nothing with them.',
  growth:
    'A conversation that grows by two messages of 1 KB a turn. Waystone keeps every checkpoint. The others do the closest thing that they can, which is said beside each; only some of them keep more than the newest state. Disk is what the file has, or what the browser says: Chromium writes a log and tidies it later, so that small amounts weigh more there than the records do.',
  compaction: 'What is recorded when half of a large context is dropped.',
  snapshot: 'Appends while a snapshot of 100 MB is made in the same worker, beside the same appends alone.',
  blobs: 'An artifact of 200 MB of which one megabyte changes.',
  engine: 'What the engine adds to each step, and how fast it replays.',
  edge: 'Appends, followers, and what Cloudflare would bill, counted by workerd itself at its listed prices.',
  smooth:
    'A run of 2,000 turns in the demo, whose draft is sent back again and again by its page: the tasks of page and worker, by the processor time that traces of Chromium give them.',
  move: 'How long a live run stands still when it is moved.',
  catalog: 'Lists, filters and pages over a million runs.',
  size: 'What a browser downloads of each entry point.',
}

/** The page and its images, by their paths in `docs`. */
export function drawPage(reports: readonly KeptReport[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  const order = Object.keys(intros)
  const sorted = reports.toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name))
  const sections = sorted.map((kept) => {
    const images = chartsOf(kept).map((chart) => {
      files.set(`measured/${chart.name}.svg`, drawChart(chart))
      return `![${chart.title}](measured/${chart.name}.svg)`
    })
    return [
      `## ${kept.name}`,
      `${intros[kept.name] ?? ''} \`npm run bench -- ${kept.name}\``,
      `${kept.date}; ${machineOf(kept.machine)}.`,
      ...images,
      ...peersOf(kept),
      ...(kept.aims.length > 0 ? [aimsOf(kept.aims)] : []),
    ].join('\n\n')
  })
  files.set('measurements.md', `${[head, ...sections].join('\n\n')}\n`)
  return files
}

const head = [
  '# Measurements',
  'Each section shows what one command of this repository has printed, and whether the aims held that the project has set',
  'itself; those that did not are marked. Ratios are taken within one run; absolute times are those of the machine that is named.',
  '`npm run bench -- NAME --keep` keeps a report in `docs/measured`, and `npm run bench -- plots` draws this page from them.',
].join('\n')

function machineOf({ cpu, cores, memoryGb, versions }: Machine): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${cpu}, ${String(cores)} cores, ${String(memoryGb)} GB; ${named.join(', ')}`
}

/** What each peer keeps, where a report has peers. */
function peersOf({ peers }: Kept): readonly string[] {
  if (!Array.isArray(peers)) return []
  const rows = (
    peers as readonly { name: string; keeps: string; recordsToRaw?: number; ratio: number }[]
  ).map(
    ({ name, keeps, recordsToRaw, ratio }) =>
      `| ${name} | ${keeps} | ${recordsToRaw === undefined ? '' : `${shown(recordsToRaw)}x`} | ${shown(ratio)}x |`,
  )
  return [['| | keeps | records | disk |', '| --- | --- | ---: | ---: |', ...rows].join('\n')]
}

function aimsOf(aims: readonly Aim[]): string {
  const rows = aims.map(
    ({ name, value, aim, wanted, unit, holds }) =>
      `| ${name} | ${shown(value)} ${unit} | ${wanted} ${shown(aim)} | ${holds ? 'yes' : '**no**'} |`,
  )
  return ['| | measured | aim | holds |', '| --- | ---: | ---: | --- |', ...rows].join('\n')
}
