import { WaystoneError } from '../errors.ts'

/** Gives the token that lets a device in at an edge, as it is now. */
export type Token = () => string | Promise<string>

/**
 * The token for a request, if there is to be one. Whoever gives it may be out of reach itself: rejects with `unreachable`, unless
 * `token` does with a coded error.
 */
export async function bearerOf(token: Token | undefined): Promise<string | undefined> {
  try {
    return await token?.()
  } catch (cause) {
    if (cause instanceof WaystoneError) throw cause
    throw new WaystoneError('unreachable', 'there is no token for the edge: `token` rejected', {
      cause,
      actions: ['retry'],
    })
  }
}
