import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The packages are taken from their sources, so that no test can run against a stale build.
const conditions = ['@waystone/source', 'module', 'node', 'development|production']
const sources = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@waystone/source', 'node'] } },
}

// Without this one core of two would stand idle.
const cores = availableParallelism()

// One thread each, beside nothing that has to be in time.
const faulty = ['test/faults/**/*.test.ts']
const simulated = ['test/sim/**/*.test.ts']
// What mostly waits, for an edge, a browser or a disk of its own, and is never in a hurry: these wait together.
const patient = [
  ...[
    ...[
      'edge-events',
      'edge-http',
      'edge-killed',
      'edge-snapshots',
      'family',
      'long-logs',
      'many-runs',
      'many-steps',
      'own-object',
    ],
    'upgrade',
  ].map((name) => `test/e2e/${name}.test.ts`),
  ...['conformance', 'docs', 'encryption', 'engine', 'harness', 'langgraph', 'rules', 'security'].map(
    (folder) => `test/${folder}/**/*.test.ts`,
  ),
]

// What has to happen within a second or a lease, on machines with two cores: one file at a time.
const alone = ['kill-renderer', 'tabs', 'take-over'].map((name) => `test/e2e/${name}.test.ts`)

/** These take a minute or more, the longest first: begun last, each would go on when all others are done. */
const longest = [
  ...['engine/hosts', 'conformance/hosts', 'e2e/many-steps', 'security/catalog', 'e2e/family'],
  ...['conformance/edge', 'security/search', 'conformance/indexeddb-chromium', 'e2e/edge-events'],
  ...['conformance/indexeddb-firefox', 'e2e/many-runs', 'security/description', 'conformance/edge-history'],
  ...[
    'conformance/indexeddb-connection',
    'harness/engines',
    'e2e/own-object',
    'conformance/indexeddb-webkit',
  ],
  ...['security/hostile-bodies', 'docs/docs', 'e2e/long-logs'],
  ...['demo/demo', 'chaos/chaos', 'e2e/encryption', 'e2e/hostile-storage', 'programs/orchestrator/edge'],
].map((name) => `test/${name}.test.ts`)

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const place = longest.findIndex((name) => moduleId.endsWith(name))
      return place < 0 ? longest.length : place
    }
    return (await super.sort(files)).toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}

export default defineConfig({
  ...sources,
  test: {
    // The JSON report is what .ci/run counts.
    reporters: ['default', 'json'],
    teardownTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    globalSetup: 'test/harness/edge-builds.ts',
    outputFile: { json: '.waystone/reports/vitest.json' },
    projects: [
      {
        ...sources,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['packages/*/src/**/*.test.ts', 'worker/src/**/*.test.ts', 'demo/src/**/*.test.ts'],
          maxWorkers: cores,
          // They leave nothing behind: one process for many files takes half the time.
          isolate: false,
          // Never what a test measures: a busy machine only takes longer.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...sources,
        test: {
          name: 'faults',
          environment: 'node',
          include: faulty,
          testTimeout: 120_000,
          maxWorkers: cores,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...sources,
        test: {
          name: 'sim',
          environment: 'node',
          include: simulated,
          testTimeout: 120_000,
          // It takes all cores by itself.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...sources,
        test: {
          name: 'patient',
          environment: 'node',
          include: patient,
          maxWorkers: 2 * cores,
          maxConcurrency: 16,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        ...sources,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...faulty, ...simulated, ...patient, ...alone],
          // Whole browsers and servers start in these: while one starts, others wait.
          maxWorkers: cores + 1,
          testTimeout: 240_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
      {
        ...sources,
        test: {
          name: 'alone',
          environment: 'node',
          include: alone,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
})
