import type { Bar, Chart } from './chart.ts'

// What is drawn of each benchmark's report. A report is what its command has printed with `--json`.

/** A report, as it was kept. Its figures are those that the command prints today. */
export type Kept = Readonly<Record<string, unknown>> & { readonly name: string }

interface Quantiles {
  readonly p50: number
}

/** The charts of a benchmark; of one that has none, an empty list. */
export function chartsOf(kept: Kept): readonly Chart[] {
  return charts[kept.name]?.(kept as never) ?? []
}

const charts: Readonly<Record<string, (kept: never) => readonly Chart[]>> = {
  save: ({ figures }: { figures: readonly SaveFigures[] }) =>
    [...new Set(figures.map(({ engine }) => engine))].map((engine) => ({
      name: `save-${engine}`,
      title: `Saving a turn of two messages, ${engine}`,
      unit: 'milliseconds (p50)',
      bars: figures
        .filter((one) => one.engine === engine)
        .flatMap(({ stateBytes, rawPutMs, commitMs, plainMs, wholePutMs }) =>
          grouped(`${megabytes(stateBytes)} of state`, {
            'a commit': commitMs.p50,
            'a commit of a plain state': plainMs.p50,
            'a raw put of the same bytes': rawPutMs.p50,
            'a put of the whole state': wholePutMs.p50,
          }),
        ),
    })),
  resume: ({ figures }: { figures: readonly ResumeFigures[] }) => [
    {
      name: 'resume',
      title: 'Opening a run, verified, beside reading its bytes',
      unit: 'milliseconds (p50)',
      bars: figures.flatMap(({ engine, what, openMs, rawMs }) =>
        grouped(`${engine}, ${what}`, { 'opening the run': openMs, 'reading the bytes': rawMs }),
      ),
    },
  ],
  growth: ({ figures, peers }: { figures: readonly GrowthFigures[]; peers: readonly PeerFigures[] }) => [
    {
      name: 'growth-bytes',
      title: 'Bytes on disk beside what was said, every checkpoint kept',
      unit: 'times the raw content',
      aim: 1.3,
      bars: figures.flatMap(({ way, messages, ratio }) =>
        grouped(`${messages.toLocaleString('en-US')} messages of 1 KB`, {
          [way === 'engine' ? 'through the engine' : 'commits alone']: ratio,
        }),
      ),
    },
    {
      name: 'growth-turns',
      title: 'A turn at the beginning and at the end',
      unit: 'milliseconds (p50)',
      bars: figures.flatMap(({ way, messages, firstMs, lastMs }) =>
        grouped(`${messages.toLocaleString('en-US')} messages, ${way === 'engine' ? 'engine' : 'commits'}`, {
          'the first turns': firstMs,
          'the last turns': lastMs,
        }),
      ),
    },
    {
      name: 'growth-peers',
      title: '400 messages of 1 KB, two a turn: bytes on disk',
      unit: 'times the raw content',
      bars: peers.map(({ name, ratio }) => ({ label: name, value: ratio })),
    },
    {
      name: 'growth-peers-turns',
      title: '400 messages of 1 KB, two a turn: the last turns',
      unit: 'milliseconds (p50)',
      bars: peers.map(({ name, lastMs }) => ({ label: name, value: lastMs })),
    },
  ],
  compaction: ({ figures }: { figures: readonly { way: string; bytes: number }[] }) => [
    {
      name: 'compaction',
      title: 'An agent drops half of a context of 10 MB: what is recorded',
      unit: 'bytes',
      bars: figures.map(({ way, bytes }) => ({ label: way, value: bytes })),
    },
  ],
  engine: ({ figures }: { figures: readonly { engine: string; stepOverheadMs: Quantiles }[] }) => [
    {
      name: 'engine',
      title: 'What a step costs beyond its append',
      unit: 'milliseconds (p50)',
      aim: 0.2,
      bars: figures.map(({ engine, stepOverheadMs }) => ({ label: engine, value: stepOverheadMs.p50 })),
    },
  ],
  edge: ({ costs, wholeRun }: { costs: readonly Cost[]; wholeRun: Cost }) => [
    {
      name: 'edge-dollars',
      title: 'A million checkpoints at the edge, kept for a month',
      unit: 'dollars',
      bars: [...costs, wholeRun].map(({ what, dollars }) => ({ label: what, value: dollars.all })),
    },
  ],
  smooth: ({ figures }: { figures: readonly SmoothFigures[] }) => [
    {
      name: 'smooth',
      title: 'Tasks of a run of 2,000 turns that took longer than',
      unit: 'tasks',
      bars: figures.flatMap(({ name, tasks, over }) =>
        grouped(`${name}, ${tasks.toLocaleString('en-US')} tasks in all`, {
          ...Object.fromEntries(Object.entries(over).map(([bound, count]) => [`${bound} ms`, count])),
        }),
      ),
    },
  ],
  size: ({ sizes }: { sizes: readonly { name: string; gzip: number }[] }) => [
    {
      name: 'size',
      title: 'What a browser downloads',
      unit: 'bytes, minified and compressed by gzip',
      bars: sizes.map(({ name, gzip }) => ({ label: name.replace(/ \(.*/, ''), value: gzip })),
    },
  ],
}

interface SaveFigures {
  readonly engine: string
  readonly stateBytes: number
  readonly commitMs: Quantiles
  readonly plainMs: Quantiles
  readonly rawPutMs: Quantiles
  readonly wholePutMs: Quantiles
}

interface ResumeFigures {
  readonly engine: string
  readonly what: string
  readonly openMs: number
  readonly rawMs: number
}

interface GrowthFigures {
  readonly way: string
  readonly messages: number
  readonly ratio: number
  readonly firstMs: number
  readonly lastMs: number
}

interface PeerFigures {
  readonly name: string
  readonly ratio: number
  readonly lastMs: number
}

interface SmoothFigures {
  readonly name: string
  readonly tasks: number
  readonly over: Readonly<Record<string, number>>
}

interface Cost {
  readonly what: string
  readonly dollars: { readonly all: number }
}

function grouped(group: string, values: Readonly<Record<string, number>>): readonly Bar[] {
  return Object.entries(values).map(([label, value]) => ({ group, label, value }))
}

function megabytes(bytes: number): string {
  return `${String(bytes / 1e6)} MB`
}
