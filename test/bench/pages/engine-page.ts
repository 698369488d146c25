import type { EngineRequest, EngineTimes } from './engine-messages.ts'

declare global {
  interface Window {
    engine(request: EngineRequest): Promise<EngineTimes>
  }
}

/** Measures in a worker, which is where runs live. */
window.engine = (request) =>
  new Promise((resolve, reject) => {
    const worker = new Worker('/engine-worker.js', { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<{ times?: EngineTimes; error?: string }>) => {
      worker.terminate()
      if (data.times) resolve(data.times)
      else reject(new Error(data.error))
    }
    worker.onerror = ({ message }) => reject(new Error(message))
    worker.postMessage(request)
  })
