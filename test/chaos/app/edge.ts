import { edgeRoutes, runObject, sharedSecret } from '@waystone/edge'
import { porter } from './agents.ts'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  readonly TOKEN: string
  readonly ORIGINS: string
}

/** The edge of the chaos tests: it runs porters, too. */
export const RunObject = runObject<Env>({
  agents: () => [porter],
  blobs: (env) => env.BLOBS,
  report: console.error,
})

const routes = edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  auth: (env) => sharedSecret(env.TOKEN),
  report: console.error,
  origins: (env) => env.ORIGINS.split(','),
})

export default { fetch: routes.fetch } satisfies ExportedHandler<Env>
