import { defineAgent, done, isWaystoneError } from '@waystone/core'
import {
  catalogObject,
  edgeRoutes,
  runObject,
  searchObject,
  signedTokens,
  type CatalogNamespace,
  type Quota,
  type Report,
  type IndexUpdated,
  type SearchCalls,
  type SearchNamespace,
  type SearchOptions,
  logEvents,
  type Watch,
} from '@waystone/edge'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly CATALOG: CatalogNamespace
  readonly SEARCH: SearchNamespace
  readonly BLOBS: R2Bucket
  readonly KEYS: string
  readonly ORIGINS: string
  /** With it keys are borrowed. */
  readonly LENDING?: string
  /** How much runs may keep: a `Quota` as JSON. */
  readonly QUOTA?: string
  /** The tenants for whom search is switched on. */
  readonly SEARCHED?: string
  /** Prints what the edge does. */
  readonly WATCH?: string
}

/** What is refused is no news here: only defects are printed. */
const report: Report = (failure) => {
  if (!isWaystoneError(failure.error) || failure.error.code === 'bug') console.error(failure)
}

/** What a catalog reports is printed with its cause. */
const reportAll: Report = ({ error }) => {
  const { message, cause } = error as Error
  console.error(`${message}: ${cause instanceof Error ? cause.message : ''}`)
}

const watch = (env: Env): Watch | undefined => (env.WATCH ? logEvents(console.log) : undefined)

const search: SearchOptions<Env> = {
  shards: (env) => env.SEARCH,
  tenants: (tenant, { SEARCHED = 'acme,globex' }) => SEARCHED.split(',').includes(tenant),
}

/** Of its runs as little is kept as may be. None of them runs here. */
const forgetful = defineAgent({
  name: 'forgetful',
  version: 1,
  retention: { turns: 0, age: 0 },
  initial: () => null,
  turn: async () => done(null),
})

/** Rests for a day. */
const sleeper = defineAgent({
  name: 'sleeper',
  version: 1,
  initial: () => null,
  async turn(ctx) {
    await ctx.sleep('day', '1d')
    return done(null)
  },
})

/** Starts a sleeper, and waits for it. */
const parent = defineAgent({
  name: 'parent',
  version: 1,
  initial: () => null,
  async turn(ctx) {
    return done(await ctx.join(await ctx.spawn('child', sleeper, undefined as never)))
  },
})

const quotaOf = ({ QUOTA }: Env): Quota => JSON.parse(QUOTA ?? '{}') as Quota

/** The edge of the security tests: as one would deploy it, with signed tokens. */
export const RunObject = runObject<Env>({
  agents: () => [forgetful, parent, sleeper],
  blobs: (env) => env.BLOBS,
  runs: (env) => env.RUNS,
  catalog: (env) => env.CATALOG,
  search,
  report,
  watch,
  lendingSecret: ({ LENDING }) => LENDING,
  quota: quotaOf,
})

/** Prints how many runs are left after each alarm, and when the next one comes. */
export class Catalog extends catalogObject<Env>({ runs: (env) => env.RUNS, report: reportAll }) {
  override async alarm(): Promise<void> {
    await super.alarm?.()
    const next = await this.ctx.storage.getAlarm()
    const seconds = next === null ? 'never' : `in ${String(Math.round((next - Date.now()) / 1_000))} s`
    console.log(`an alarm has left ${String(await this.runs())} runs, and the next comes ${seconds}`)
  }
}

/** Loses its first answer about each run whose name says so: what it was told it has, and the run does not know. */
export class Search extends searchObject<Env>() {
  readonly #lost = new Set<string>()

  override async put(...told: Parameters<SearchCalls['put']>): Promise<IndexUpdated> {
    const answer = await super.put(...told)
    const [, { run }] = told
    if (!run.startsWith('lost.') || this.#lost.has(run)) return answer
    this.#lost.add(run)
    throw new Error(`the answer about ${run} is lost`)
  }
}

export default edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  auth: (env) => signedTokens(env.KEYS),
  quota: quotaOf,
  origins: (env) => env.ORIGINS.split(','),
  lendingSecret: ({ LENDING }) => LENDING,
  search,
  report,
  watch,
})
