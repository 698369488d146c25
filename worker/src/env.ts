import type { CatalogNamespace, SearchNamespace } from '@waystone/edge'

/** What wrangler.toml, `.dev.vars` and `wrangler secret put` give the worker. */
export interface Env {
  readonly ASSETS: Fetcher
  readonly RUNS: DurableObjectNamespace
  readonly CATALOG: CatalogNamespace
  readonly SEARCH: SearchNamespace
  readonly LEDGER: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  /** Takes what the edge does as data points, when it is bound. */
  readonly ANALYTICS?: AnalyticsEngineDataset
  /** Bound, they bound how often may be asked for one tenant, and for one run. */
  readonly TENANT_RATE?: RateLimit
  readonly RUN_RATE?: RateLimit
  /** The keys that signed tokens are verified with, as JSON Web Keys. */
  readonly WAYSTONE_KEYS?: string
  /** Without keys: the one secret that lets in. Without either the edge refuses everything. */
  readonly WAYSTONE_TOKEN?: string
  /** With it encrypted runs can go on at this edge: at least 32 random characters. */
  readonly WAYSTONE_LENDING_SECRET?: string
  /** The tenants whose runs may be searched, with commas between them. */
  readonly WAYSTONE_SEARCH?: string
  /** Origins whose pages may ask, besides the worker's own, with commas between them. */
  readonly WAYSTONE_ORIGINS?: string
  /** How much runs may keep: a `Quota` as JSON. */
  readonly WAYSTONE_QUOTA?: string
  /** Another ledger than the one in this worker, with the same routes. */
  readonly LEDGER_URL?: string
  /** A language model for drafts, at any endpoint that speaks the OpenAI protocol. */
  readonly MODEL_URL?: string
  readonly MODEL_NAME?: string
  readonly MODEL_KEY?: string
}
