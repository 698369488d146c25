import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startLastingEdge } from '../harness/lasting-edge.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'

// A catalog of a million runs in one object of workerd in Miniflare: its list, filtered by each column and by several,
// and pages far in, as a client asks for them over HTTP; and what a change of status writes. The rows are made by SQL in
// the object, as `put` would have made them.

/** The aim of the issue about the edge. */
const listMsMax = 100

const options = {
  runs: { type: 'string', default: '1000000' },
  rounds: { type: 'string', default: '200' },
  json: { type: 'boolean' },
  keep: { type: 'boolean' },
} as const
const { values: args } = parseArgs({ options })
const [runs, rounds] = [Number(args.runs), Number(args.rounds)]
const filledAtOnce = 25_000

const token = 'a-secret-of-the-benchmark'
const edge = await startLastingEdge({
  config: join(import.meta.dirname, 'catalog-app/wrangler.toml'),
  vars: { TOKEN: token },
})
const { url } = edge.process

const filled = performance.now()
for (let from = 0; from < runs; from += filledAtOnce)
  await answer(`/fill?from=${String(from)}&to=${String(Math.min(runs, from + filledAtOnce))}`)
const databaseBytes = (await (await answer('/label')).json()) as number
const fillSeconds = (performance.now() - filled) / 1_000

const begin = 1_700_000_000_000
const span = 1_000_003_000
const moment = (share: number): number => begin + Math.round(share * span)
const after = (share: number): string => encodeURIComponent(`${String(moment(share))}:user000.0000000`)
const patterns = (count: number): string =>
  Array.from({ length: count }, (_, index) => `user${String(index * 10).padStart(3, '0')}.*`).join(',')

/** What is asked for, and who asks when it is for some runs only. */
const questions: readonly (readonly [name: string, query: string, runs?: string])[] = [
  ['the newest', ''],
  ['the newest 500', 'limit=500'],
  ['a page in the middle', `after=${after(0.5)}`],
  ['a page near the end', `after=${after(0.001)}`],
  ...['running', 'waiting', 'paused', 'done', 'failed', 'cancelled', 'moving'].map(
    (status) => [`status ${status}`, `status=${status}`] as const,
  ),
  ['status waiting, in the middle', `status=waiting&after=${after(0.5)}`],
  ['an agent of half of the runs', 'agent=agent-0'],
  ['an agent of few', 'agent=agent-50'],
  ['an agent of none', 'agent=nobody'],
  ...['browser', 'edge', 'page'].map((place) => [`place ${place}`, `place=${place}`] as const),
  ['a label of many', 'label=approved'],
  ['a label of many, in the middle', `label=approved&after=${after(0.5)}`],
  ['a label of ten', 'label=rare'],
  ['a label of none', 'label=nothing'],
  ['valid', 'valid=true'],
  ['not valid', 'valid=false'],
  ['changed in a time', `from=${String(moment(0.3))}&to=${String(moment(0.31))}`],
  ['changed before', `to=${String(moment(0.2))}`],
  ['status and place', 'status=done&place=page'],
  ['status and agent', 'status=waiting&agent=agent-50'],
  ['label, agent and status', 'label=approved&agent=agent-0&status=done'],
  ['agent and a status that it never has', 'agent=agent-0&status=moving'],
  ['runs that nothing fits', 'valid=true&place=page&status=done&agent=agent-0&label=rare'],
  ['for one user', '', 'user500.*'],
  ['for one user, by status', 'status=paused', 'user500.*'],
  ['for a hundred users', 'limit=500', patterns(100)],
  ['for a hundred users, by status and label', 'status=paused&label=rare', patterns(100)],
]

const listed = []
/** What an answer takes that reads nothing, asked in between: the wire, the proxy of wrangler, and whatever else this machine does. */
const nothing: number[] = []
for (const [name, query, of] of questions) {
  const times: number[] = []
  let found = 0
  for (let number = 0; number < rounds; number += 1) {
    const began = performance.now()
    const response = await answer(`/v1/runs?${query}`, of)
    const page = (await response.json()) as { readonly runs: readonly unknown[] }
    times.push(performance.now() - began)
    found = page.runs.length
    const idle = performance.now()
    await (await answer('/v1/health')).text()
    nothing.push(performance.now() - idle)
  }
  listed.push({ name, found, p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) })
}
const nothingMs = { p50: round(quantile(nothing, 0.5)), p99: round(quantile(nothing, 0.99)) }
const counted: number[] = []
for (let count = 0; count < 20; count += 1) {
  const began = performance.now()
  await (await answer('/v1/metrics')).text()
  counted.push(performance.now() - began)
}
const metricsMs = { p50: round(quantile(counted, 0.5)), p99: round(quantile(counted, 0.99)) }
const changes = [await change('a change of status', []), await change('the same, with one label', ['draft'])]
const memoryMb = round(edge.process.memory() / 2 ** 20)
await edge.close()

const aims: Aim[] = listed.map(({ name, p99 }) => atMost(`p99 of a page: ${name}`, p99, listMsMax, 'ms'))
report(
  [
    `${String(runs)} runs filled in ${fillSeconds.toFixed(0)} s: ${(databaseBytes / 2 ** 20).toFixed(0)} MB of SQLite; workerd has ${memoryMb.toFixed(0)} MB`,
    ...listed.map(
      ({ name, found, p50, p99 }) =>
        `${name.padEnd(42)} ${String(found).padStart(4)} runs: ${p50.toFixed(1).padStart(6)} ms (p99 ${p99.toFixed(1)})`,
    ),
    `asked in between, nothing at all (health)             : ${nothingMs.p50.toFixed(1)} ms (p99 ${nothingMs.p99.toFixed(1)})`,
    `counting by status (metrics)                          : ${metricsMs.p50.toFixed(1)} ms (p99 ${metricsMs.p99.toFixed(1)})`,
    ...changes.map(
      ({ what, rowsWritten, ms }) =>
        `${what}: ${rowsWritten.toFixed(1)} rows written, ${ms.p50.toFixed(1)} ms (p99 ${ms.p99.toFixed(1)})`,
    ),
  ],
  {
    name: 'catalog',
    runs,
    rounds,
    fillSeconds: round(fillSeconds),
    databaseBytes,
    memoryMb,
    listed,
    nothingMs,
    metricsMs,
    changes,
    aims,
  },
)

/** What it takes that runs tell of a change. */
async function change(what: string, labels: readonly string[]) {
  const put = async (number: number, status: string): Promise<number> => {
    const run = `user${String(number % 1_000).padStart(3, '0')}.changed${String(labels.length)}-${String(number)}`
    const began = performance.now()
    const updated = Date.now()
    const entry = {
      run,
      agent: 'agent-1',
      status,
      place: 'edge',
      owner: 'edge',
      labels,
      valid: true,
      started: 1,
      updated,
    }
    await answer('/put', undefined, { method: 'POST', body: JSON.stringify({ entry, version: updated }) })
    return performance.now() - began
  }
  for (let number = 0; number < rounds; number += 1) await put(number, 'running')
  await written()
  const times: number[] = []
  for (let number = 0; number < rounds; number += 1) times.push(await put(number, 'done'))
  const rowsWritten = round((await written()) / rounds)
  return { what, rowsWritten, ms: { p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) } }
}

async function written(): Promise<number> {
  return (await (await answer('/written')).json()) as number
}

/** What the edge answers; everything else is a failure of the benchmark. */
async function answer(path: string, of?: string, init: RequestInit = {}): Promise<Response> {
  const bearer = of === undefined ? token : `${token},${of}`
  const response = await fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${bearer}` } })
  if (!response.ok)
    throw new Error(`${path} was answered with ${String(response.status)}: ${await response.text()}`)
  return response
}
