import { startWorker } from './ask-worker.ts'
import type { SnapshotRequest, SnapshotTimes } from './snapshot-worker.ts'

/** Measures in a worker of its own. */
const snapshot = (request: SnapshotRequest): Promise<SnapshotTimes> => {
  const worker = startWorker<SnapshotRequest, SnapshotTimes>('/snapshot-worker.js')
  return worker.ask(request).finally(() => worker.end())
}

Object.assign(globalThis, { snapshot })
