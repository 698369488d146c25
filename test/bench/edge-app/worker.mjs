// The edge of the benchmarks. Plain JavaScript: this folder is type-checked with the DOM, and workers do not fit there.
import { createRunHost, edgeRoutes, runObject, sharedSecret } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import { twentySteps } from '../pages/edge-agent.ts'
import { ticker } from '../pages/move-agent.ts'
import { countWrites } from './count-writes.mjs'

const agents = () => [ticker, twentySteps]

export const RunObject = runObject({ agents, blobs: (env) => env.BLOBS, report: console.error })

/** An object that hosts a run as `RunObject` does, and tells what its storage has been asked for. */
export class CountedObject extends DurableObject {
  #counts = countWrites(this.ctx)
  #host = createRunHost(this.#counts.ctx, { agents, blobs: this.env.BLOBS, report: console.error })

  async fetch(request) {
    const answering = this.#host.fetch(request)
    if (answering === undefined)
      return Response.json({ ...this.#counts.tell(), alarm: await this.ctx.storage.getAlarm() })
    return answering.finally(() => this.#counts.settle())
  }

  async alarm() {
    await this.#host.alarm()
  }

  async webSocketMessage(socket, message) {
    await this.#host.webSocketMessage(socket, message)
  }

  webSocketClose(socket, code) {
    this.#host.webSocketClose(socket, code)
  }
}

const shared = {
  blobs: (env) => env.BLOBS,
  auth: (env) => sharedSecret(env.TOKEN),
  origins: (env) => env.ORIGINS.split(','),
  report: console.error,
}
const routes = edgeRoutes({ ...shared, runs: (env) => env.RUNS })
const countedRoutes = edgeRoutes({ ...shared, runs: (env) => env.COUNTED })

// oxlint-disable-next-line import/no-default-export -- what workerd asks for
export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    const [, run] = /^\/counts\/([^/]+)$/.exec(pathname) ?? []
    if (run !== undefined) return env.COUNTED.get(env.COUNTED.idFromName(run)).fetch(request)
    return (pathname.startsWith('/v1/runs/counted-') ? countedRoutes : routes).fetch(request, env, ctx)
  },
}
