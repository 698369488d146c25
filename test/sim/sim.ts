import { simulate } from '@waystone/testing/simulator'
import { exit, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { atMost, report, round } from '../bench/_report.ts'
import { plantSeedsMax, plants } from './plants.ts'
import { runSeeds } from './run-seeds.ts'

// `npm run sim`: --seeds N (from --from S), --seed S for one and its story, --plants to see that planted bugs are found.
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    plants: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

if (values.seed !== undefined) exit(await tellSeed(Number(values.seed)))
const done = await runSeeds({ from: Number(values.from), count: Number(values.seeds) })
const found = values.plants ? await findPlants() : {}
const perSecond = Math.round(done.events / (done.ms / 1_000))
const minutes = (done.ms / done.seeds) * (100_000 / 60_000)
const pairs = Object.entries(done.pairs)
report(
  [
    `${String(done.seeds)} seeds in ${String(round(done.ms / 1_000))} s, ${String(done.events)} events, ${String(perSecond)} a second`,
    `${String(pairs.length)} pairs of fault and operation:`,
    ...pairs.map(([pair, times]) => `  ${pair}: ${String(times)}`),
    ...Object.entries(found).map(([name, seeds]) => `planted "${name}": found by seed ${String(seeds)}`),
    ...done.failures.flatMap(({ seed, failure, story }) => [
      '',
      ...story,
      `seed ${String(seed)}: ${failure}`,
      `again: npm run sim -- --seed ${String(seed)}`,
    ]),
  ],
  {
    name: 'sim',
    seeds: done.seeds,
    failed: done.failures.length,
    events: done.events,
    eventsPerSecond: perSecond,
    pairs: done.pairs,
    plants: found,
    aims: [
      atMost('seeds that failed', done.failures.length, 0, 'seeds'),
      atMost('100,000 seeds', minutes, 10, 'min'),
      ...Object.entries(found).map(([name, seeds]) =>
        atMost(`planted "${name}" found`, seeds, plantSeedsMax, 'seeds'),
      ),
    ],
  },
)
exit(done.failures.length > 0 ? 1 : 0)

/** Runs one seed twice: its story, and whether both went the same way. */
async function tellSeed(seed: number): Promise<number> {
  const [first, again] = [await simulate(seed), await simulate(seed)]
  for (const line of first.story) stdout.write(`${line}\n`)
  stdout.write(`seed ${String(seed)}: ${String(first.events)} events, ${first.failure ?? 'all is well'}\n`)
  if (first.trace === again.trace) return first.failure === undefined ? 0 : 1
  stdout.write(`the same seed went another way: ${String(first.trace)} and ${String(again.trace)}\n`)
  return 1
}

/** How many seeds it took to find each planted bug. */
async function findPlants(): Promise<Readonly<Record<string, number>>> {
  const seedsToFind: Record<string, number> = {}
  for (const { name } of plants) {
    const { failures } = await runSeeds({ from: 1, count: plantSeedsMax, plant: name, untilFailure: true })
    seedsToFind[name] = failures[0]?.seed ?? Infinity
    stdout.write(`planted "${name}": ${failures[0]?.failure ?? 'not found'}\n`)
  }
  return seedsToFind
}
