import { catalogObject, edgeRoutes, runObject, sharedSecret, type CatalogNamespace } from '@waystone/edge'
import { porter } from './agents.ts'
import { soaker } from './soaker.ts'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly CATALOG: CatalogNamespace
  readonly BLOBS: R2Bucket
  readonly TOKEN: string
  readonly ORIGINS: string
  /** Which deployment this is. */
  readonly RELEASE?: string
}

/** The edge of the chaos tests: it runs porters, too. */
export const RunObject = runObject<Env>({
  agents: ({ RELEASE = '1' }) => [porter, soaker(Number(RELEASE))],
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  report: console.error,
})

export const Catalog = catalogObject<Env>({ runs: (env) => env.RUNS, report: console.error })

const routes = edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  auth: (env) => sharedSecret(env.TOKEN),
  report: console.error,
  origins: (env) => env.ORIGINS.split(','),
})

export default { fetch: routes.fetch } satisfies ExportedHandler<Env>
