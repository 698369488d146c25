import { defineConfig } from 'vitest/config'

// The packages are taken from their sources, so that no test can run against a stale build.
const conditions = ['@waystone/source', 'module', 'node', 'development|production']
const sources = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@waystone/source', 'node'] } },
}

export default defineConfig({
  ...sources,
  test: {
    // The JSON report is what .ci/run counts.
    reporters: ['default', 'json'],
    teardownTimeout: 30_000,
    outputFile: { json: '.waystone/reports/vitest.json' },
    projects: [
      {
        ...sources,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['packages/*/src/**/*.test.ts', 'worker/src/**/*.test.ts', 'demo/src/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...sources,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          // Whole browsers and servers start in these, on machines with two cores: one file at a time.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
