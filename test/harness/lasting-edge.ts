import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEdge, type EdgeOptions, type EdgeProcess } from './edge-process.ts'
import { freePort } from './free-port.ts'

/** An edge that can be killed and started again: on the state it left, and where pages find it again. */
export interface LastingEdge {
  /** Where its state is on disk. */
  readonly persistTo: string
  /** Its newest process. */
  readonly process: EdgeProcess
  /** Starts it again after a kill, with other variables if they are given: a later deployment. */
  start(vars?: EdgeOptions['vars']): Promise<void>
  /** Ends it, and drops its state. */
  close(): Promise<void>
}

/** Starts an edge with a folder and a port of its own; returns when it answers. */
export async function startLastingEdge(
  options: Omit<EdgeOptions, 'persistTo' | 'port'>,
): Promise<LastingEdge> {
  const persistTo = await mkdtemp(join(tmpdir(), 'waystone-edge-'))
  const port = await freePort()
  const begin = (vars = options.vars ?? {}): Promise<EdgeProcess> =>
    startEdge({ ...options, persistTo, port, vars })
  let newest = await begin()
  return {
    persistTo,
    get process() {
      return newest
    },
    async start(vars) {
      newest = await begin(vars)
    },
    async close() {
      await newest.stop()
      await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
