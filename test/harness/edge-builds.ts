import type { TestProject } from 'vitest/node'
import { keepEdgeBuilds } from './edge-build.ts'

/** Before all tests: what one of them has built of an edge the others find, unless the sources may change meanwhile. */
export function setup({ config }: TestProject): void {
  if (!config.watch) keepEdgeBuilds()
}
