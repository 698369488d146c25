import { allows, type Grant } from '@waystone/access'
import { parseRunId, WaystoneError, type RunId } from '@waystone/core'
import { forbidden, withAsking, type Asking } from '../access/asking.ts'
import { letIn, notLetIn, type Auth } from '../access/auth.ts'
import { parseLink, type Link } from '../access/link.ts'
import { objectName } from '../store/tenant-names.ts'
import { tooLarge } from './body.ts'
import type { Route } from './routes.ts'

/** What a guard needs of the environment. */
export interface GuardOptions<Env> {
  readonly runs: (env: Env) => DurableObjectNamespace
  readonly auth: (env: Env) => Auth
  readonly rates?: (env: Env) => { readonly tenant?: RateLimit; readonly run?: RateLimit }
}

/** Asks the object of a run of the same tenant, as who asks here. */
export type AskRun = (run: RunId, request: Request) => Promise<Response>

/** A request that was let in. */
export interface Admitted {
  readonly grant: Grant
  /** Undefined for what is asked of all runs. */
  readonly run: RunId | undefined
}

/** Decides who is let in. */
export class Guard<Env extends object> {
  readonly #options: GuardOptions<Env>
  /** One for each environment, since it may remember tokens. */
  readonly #auths = new WeakMap<Env, Auth>()

  constructor(options: GuardOptions<Env>) {
    this.#options = options
  }

  /**
   * What the token of a request allows, when that is enough for a route: of the run that is named in its address, or of those that it is for. Throws
   * `unauthorized`, `input_refused`, `forbidden`, `limit_exceeded`, `too_large`.
   */
  async admit(env: Env, request: Request, route: Route, named: string | undefined): Promise<Admitted> {
    const grant = await letIn((bearer) => this.#grantOf(env, bearer, request), request)
    const run = route.of === 'run' ? parseRunId(named) : undefined
    const isAllowed =
      run === undefined
        ? route.needs.some((one) => grant.operations.includes(one))
        : allows(grant, run, route.needs)
    if (!isAllowed || !isWide(grant, route)) throw forbidden(run, route.needs)
    await this.#checkRates(env, grant.tenant, run)
    if (route.body !== undefined) checkLength(request, route.body.bytesMax)
    return { grant, run }
  }

  /** How the objects of a tenant's runs are asked. */
  asking(env: Env, grant: Grant): AskRun {
    const { runs: _, ...asking } = grant
    return (run, request) => this.#object(env, asking.tenant, run).fetch(withAsking(request, asking))
  }

  #grantOf(env: Env, bearer: string, request: Request): Promise<Grant> {
    const link = linkOf(bearer)
    return link ? this.#grantOfLink(env, link) : this.#auth(env)(bearer, request)
  }

  #auth(env: Env): Auth {
    const known = this.#auths.get(env)
    if (known !== undefined) return known
    const auth = this.#options.auth(env)
    this.#auths.set(env, auth)
    return auth
  }

  /** Only the run knows which links it has. */
  async #grantOfLink(env: Env, { tenant, run, secret }: Link): Promise<Grant> {
    // Before anything is asked of an object: whoever guesses has no token that could be bounded. No tenant has such a name.
    await this.#checkRates(env, `link/${tenant}/${run}`, run)
    const nobody: Asking = { tenant, operations: [] }
    const url = `https://edge/v1/runs/${run}/links/open`
    const request = new Request(url, { method: 'POST', body: JSON.stringify({ secret }) })
    const response = await this.#object(env, tenant, run).fetch(withAsking(request, nobody))
    if (!response.ok) throw notLetIn()
    const asking = await response.json<Asking>()
    return { ...asking, runs: [run] }
  }

  async #checkRates(env: Env, tenant: string, run: RunId | undefined): Promise<void> {
    const rates = this.#options.rates?.(env)
    const [ofTenant, ofRun] = await Promise.all([
      rates?.tenant?.limit({ key: tenant }),
      run === undefined ? undefined : rates?.run?.limit({ key: `${tenant}/${run}` }),
    ])
    if (ofTenant?.success !== false && ofRun?.success !== false) return
    const what = ofTenant?.success === false ? `tenant ${tenant}` : `run ${String(run)}`
    throw new WaystoneError('limit_exceeded', `too many requests for ${what}: wait a minute`, {
      ...(run === undefined ? {} : { run }),
      actions: ['retry'],
    })
  }

  #object(env: Env, tenant: string, run: RunId): DurableObjectStub {
    const namespace = this.#options.runs(env)
    return namespace.get(namespace.idFromName(objectName(tenant, run)))
  }
}

/** True for a token that is for as many runs as a route asks for. */
function isWide({ runs, subject }: Grant, { allRuns, allOwnRuns }: Route): boolean {
  if (runs.includes('*') || !(allRuns ?? allOwnRuns)) return true
  return allOwnRuns === true && subject !== undefined && runs.includes(`${subject}.*`)
}

function linkOf(bearer: string): Link | undefined {
  try {
    return parseLink(bearer)
  } catch {
    throw notLetIn()
  }
}

function checkLength(request: Request, bytesMax: number): void {
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge(bytesMax)
}
