import { isWaystoneError } from '@waystone/core'
import {
  catalogObject,
  edgeRoutes,
  runObject,
  signedTokens,
  type CatalogNamespace,
  type Report,
  logEvents,
  type Watch,
} from '@waystone/edge'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly CATALOG: CatalogNamespace
  readonly BLOBS: R2Bucket
  readonly KEYS: string
  readonly ORIGINS: string
  /** With it keys are borrowed. */
  readonly LENDING?: string
  /** How many entries and bytes a run may have. */
  readonly QUOTA?: string
  /** Prints what the edge does. */
  readonly WATCH?: string
}

/** What is refused is no news here: only defects are printed. */
const report: Report = (failure) => {
  if (!isWaystoneError(failure.error) || failure.error.code === 'bug') console.error(failure)
}

const watch = (env: Env): Watch | undefined => (env.WATCH ? logEvents(console.log) : undefined)

/** The edge of the security tests: as one would deploy it, with signed tokens. It has no agents. */
export const RunObject = runObject<Env>({
  agents: () => [],
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  report,
  watch,
  lendingSecret: ({ LENDING }) => LENDING,
  quota: ({ QUOTA }) => {
    const [entriesMax, bytesMax] = QUOTA?.split(',').map(Number) ?? []
    return entriesMax && bytesMax ? { entriesMax, bytesMax } : {}
  },
})

export const Catalog = catalogObject<Env>({ runs: (env) => env.RUNS, report })

export default edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  auth: (env) => signedTokens(env.KEYS),
  origins: (env) => env.ORIGINS.split(','),
  lendingSecret: ({ LENDING }) => LENDING,
  report,
  watch,
})
