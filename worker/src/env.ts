/** What wrangler.toml, `.dev.vars` and `wrangler secret put` give the worker. */
export interface Env {
  readonly ASSETS: Fetcher
  readonly RUNS: DurableObjectNamespace
  readonly LEDGER: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  /** The bearer token. Without it the edge refuses everything. */
  readonly WAYSTONE_TOKEN?: string
  /** Another ledger than the one in this worker, with the same routes. */
  readonly LEDGER_URL?: string
  /** A language model for drafts, at any endpoint that speaks the OpenAI protocol. */
  readonly MODEL_URL?: string
  readonly MODEL_NAME?: string
  readonly MODEL_KEY?: string
}
