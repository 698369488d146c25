import { operations, parseGrant, type Grant, type Operation } from '@waystone/access'
import { socketProtocols, WaystoneError, type RunId } from '@waystone/core'
import { offeredProtocols } from './auth.ts'
import { onlyTenant } from '../store/tenant-names.ts'

/** Who asks the object of a run, and what for: what the worker has found out and the object goes by. */
export interface Asking extends Omit<Grant, 'runs'> {
  /** The link that let them in. */
  readonly link?: string
}

/** Carries it from the worker to the object. What a client sends under this name never gets there. */
const header = 'waystone-asking'
const protocols = 'sec-websocket-protocol'

/** For requests that the application itself has let in: everything may be done. */
export const unguarded: Asking = { tenant: onlyTenant, operations }

/** True when a client wants one socket for many runs: the worker has it then, and hands on what the objects say. */
export function isShared(request: Request): boolean {
  return offeredProtocols(request).includes(socketProtocols.runs)
}

/** A request as the object gets it: with who asks, and without the token that says so. */
export function withAsking(request: Request, asking: Asking): Request {
  const headers = new Headers(request.headers)
  headers.delete('authorization')
  // The object hears of its socket only whether a worker hands it on, and no token.
  if (headers.has(protocols))
    headers.set(protocols, isShared(request) ? socketProtocols.runs : socketProtocols.run)
  headers.set(header, encodeURIComponent(JSON.stringify(asking)))
  return new Request(request, { headers })
}

/**
 * Who asks, as `edgeRoutes` has written it into a request to an object. A request that did not come through them says what it likes here. Throws
 * `unauthorized`.
 */
export function askingOf(request: Request): Asking {
  try {
    const asking: unknown = JSON.parse(decodeURIComponent(request.headers.get(header) ?? ''))
    const fields = typeof asking === 'object' && asking !== null ? asking : {}
    const { runs: _, ...grant } = parseGrant({ ...fields, runs: [] })
    return 'link' in fields && typeof fields.link === 'string' ? { ...grant, link: fields.link } : grant
  } catch (cause) {
    throw new WaystoneError('unauthorized', 'this request did not come through the routes of the edge', {
      cause,
    })
  }
}

/** Throws `forbidden` unless who asks may do one of these. */
export function demand(asking: Asking, run: RunId, ...wanted: readonly Operation[]): void {
  if (!wanted.some((one) => asking.operations.includes(one))) throw forbidden(run, wanted)
}

/** The error for who was let in and may not do this. */
export function forbidden(run: RunId | undefined, wanted: readonly Operation[]): WaystoneError {
  return new WaystoneError(
    'forbidden',
    `this token does not allow ${wanted.join(' or ')} for ${run === undefined ? 'these runs' : `run ${run}`}: ask whoever made it for one that does`,
    run === undefined ? {} : { run },
  )
}
