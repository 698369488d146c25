import type { SaveRequest, SaveTimes } from './save-messages.ts'

declare global {
  interface Window {
    save(request: SaveRequest): Promise<SaveTimes>
  }
}

/** Measures in a worker, which is where runs live. */
window.save = (request) =>
  new Promise((resolve, reject) => {
    const worker = new Worker('/save-worker.js', { type: 'module' })
    worker.addEventListener('message', ({ data }: MessageEvent<{ times?: SaveTimes; error?: string }>) => {
      worker.terminate()
      if (data.times) resolve(data.times)
      else reject(new Error(data.error))
    })
    worker.addEventListener('error', ({ message }) => reject(new Error(message)))
    worker.postMessage(request)
  })
