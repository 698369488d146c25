import { WaystoneError } from '../errors.ts'
import { unlessAborted } from '../unless-aborted.ts'

/** Gives the token that lets a device in at an edge, as it is now. */
export type Token = () => string | Promise<string>

/**
 * The token for a request, if there is to be one. Whoever gives it may be out of reach itself: rejects with `unreachable` when it
 * has not come before `signal` is aborted, and when `token` rejects, unless that is with a coded error.
 */
export async function bearerOf(token: Token | undefined, signal: AbortSignal): Promise<string | undefined> {
  if (token === undefined) return undefined
  try {
    return await unlessAborted(Promise.resolve(token()), signal)
  } catch (cause) {
    if (cause instanceof WaystoneError) throw cause
    const why = signal.aborted ? 'did not settle in time' : 'rejected'
    throw new WaystoneError('unreachable', `there is no token for the edge: \`token\` ${why}`, {
      cause,
      actions: ['retry'],
    })
  }
}
