import { keepEdgeBuilds } from './edge-build.ts'

/** Before all tests: what one of them has built of an edge the others find. */
export function setup(): void {
  keepEdgeBuilds()
}
