import { edgeRoutes, runObject } from '@waystone/edge'
import { agents } from './agents.ts'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  readonly TOKEN: string
  readonly ORIGINS: string
}

/** The edge of the end-to-end tests: the agents of the test, open to the page of the test. */
export const RunObject = runObject<Env>({
  agents: () => agents,
  blobs: (env) => env.BLOBS,
  report: console.error,
})

const routes = edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  token: (env) => env.TOKEN,
  report: console.error,
  origins: (env) => env.ORIGINS.split(','),
})

export default { fetch: routes.fetch }
