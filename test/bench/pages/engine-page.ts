import { startWorker } from './ask-worker.ts'
import type { EngineRequest, EngineTimes } from './engine-messages.ts'

declare global {
  interface Window {
    engine(request: EngineRequest): Promise<EngineTimes>
  }
}

/** Measures in a worker, which is where runs live. */
window.engine = async (request) => {
  const worker = startWorker<EngineRequest, EngineTimes>('/engine-worker.js')
  return worker.ask(request).finally(() => worker.end())
}
