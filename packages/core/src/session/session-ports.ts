import type { LogPorts } from '../log/run-log.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { logPorts } from '../sync/log-ports.ts'
import type { SessionSetup } from './options.ts'

/** What the log of a session is kept in. One that has an edge says so in the list, for whoever opens another session. */
export function sessionPorts(
  { clock, edge, cipher }: SessionSetup,
  storage: Pick<RunStorage, 'store' | 'snapshots' | 'blobs'>,
): LogPorts {
  return { ...logPorts(storage, clock, edge, cipher && { cipher }), hasEdge: edge !== undefined }
}
