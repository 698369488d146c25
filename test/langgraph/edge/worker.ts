import { edgeStorage, StoreObject, type Env } from '../../conformance/edge/worker.ts'
import { collectSaverSuite } from '../saver-suite.ts'

export { StoreObject }

export default {
  /** Runs the suite over objects, one for each thread. */
  async fetch(request, env) {
    // Whoever starts it asks for its root until it answers.
    if (new URL(request.url).pathname !== '/suite') return new Response()
    const suite = collectSaverSuite(async () => ({
      storage: edgeStorage(env),
      close: () => Promise.resolve(),
    }))
    return Response.json(await suite.run())
  },
} satisfies ExportedHandler<Env>
