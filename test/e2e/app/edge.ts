import { edgeRoutes, runObject, sharedSecret } from '@waystone/edge'
import { agents } from './agents.ts'
import { askShopAt, buyer, purchaser } from '../../programs/orchestrator/agents.ts'
import { edgeAgents } from './edge-agents.ts'
import { familyAgents } from './family-agents.ts'
import type { OwnObject } from './own-object.ts'

export { OwnObject } from './own-object.ts'

interface Env {
  readonly RUNS: DurableObjectNamespace
  readonly OWN: DurableObjectNamespace<OwnObject>
  readonly BLOBS: R2Bucket
  readonly TOKEN: string
  readonly ORIGINS: string
  readonly LENDING: string
  /** The outside server. */
  readonly EFFECTS: string
}

/** The edge of the end-to-end tests: the agents of the test, open to the page of the test. */
export const RunObject = runObject<Env>({
  agents: (env) => [
    ...[...agents, ...edgeAgents, ...familyAgents, purchaser],
    buyer.provide({ askShop: askShopAt(env.EFFECTS) }),
  ],
  versions: { ai: '7.0.2' },
  blobs: (env) => env.BLOBS,
  runs: (env) => env.RUNS,
  lendingSecret: (env) => env.LENDING,
  report: console.error,
})

const shared = {
  blobs: (env: Env) => env.BLOBS,
  auth: (env: Env) => sharedSecret(env.TOKEN),
  lendingSecret: (env: Env) => env.LENDING,
  report: console.error,
  origins: (env: Env) => env.ORIGINS.split(','),
}
const routes = edgeRoutes<Env>({ ...shared, runs: (env) => env.RUNS })
const ownRoutes = edgeRoutes<Env>({ ...shared, runs: (env) => env.OWN })

export default {
  fetch(request, env, ctx) {
    const url = new URL(request.url)
    const { pathname } = url
    // `/own/:object/...` goes to the object as it is, without asking for a token.
    const [, object = '', path = ''] = /^\/own\/([^/]+)(\/.*)$/.exec(pathname) ?? []
    if (object !== '') {
      url.pathname = path
      return env.OWN.get(env.OWN.idFromName(object)).fetch(new Request(url, request))
    }
    return (pathname.startsWith('/v1/runs/own-') ? ownRoutes : routes).fetch(request, env, ctx)
  },
} satisfies ExportedHandler<Env>
