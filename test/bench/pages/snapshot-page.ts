import type { SnapshotRequest, SnapshotTimes } from './snapshot-worker.ts'

/** Measures in a worker of its own. */
const snapshot = (request: SnapshotRequest): Promise<SnapshotTimes> =>
  new Promise((resolve, reject) => {
    const worker = new Worker('/snapshot-worker.js', { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<SnapshotTimes | { error: string }>) => {
      if ('error' in data) reject(new Error(data.error))
      else resolve(data)
      worker.terminate()
    }
    worker.onerror = ({ message }) => reject(new Error(message))
    worker.postMessage(request)
  })

Object.assign(globalThis, { snapshot })
