import { durationMs, WaystoneError, type Duration } from '@waystone/core'
import { decodeJwt, importJWK, SignJWT } from 'jose'
import { parseOperations, parsePatterns, type Restriction } from './grant.ts'
import {
  joinToken,
  newHolderKey,
  notValid,
  publicOf,
  restrictionsMax,
  restrictionType,
  splitToken,
} from './token-parts.ts'

/** What the narrower token is left with. */
export interface NarrowOptions extends Omit<Restriction, 'until'> {
  /** How long from now it is valid; never longer than the token it is made from. */
  readonly lifetime?: Duration
  /** Now, in ms since 1970. */
  readonly now?: number
}

/**
 * Makes a narrower token from one, without asking anybody: to hand on less than one has. What is named that the token does
 * not have is not gained. Throws `unauthorized` for what is no token, `input_refused` for one that cannot be narrowed.
 *
 * @example
 * const forTheWorker = await narrowToken(token, { runs: [run], operations: ['read'], lifetime: '2m' })
 */
export async function narrowToken(token: string, options: NarrowOptions): Promise<string> {
  const { signed, restrictions, holderKey } = splitToken(token)
  if (holderKey === undefined)
    throw new WaystoneError(
      'input_refused',
      'this token was minted without a key for its holder, so it cannot be narrowed',
    )
  if (restrictions.length === restrictionsMax)
    throw new WaystoneError('input_refused', `a token is narrowed at most ${String(restrictionsMax)} times`)
  const next = await newHolderKey()
  const now = Math.floor((options.now ?? Date.now()) / 1_000)
  const unsigned = new SignJWT({
    ...(options.runs === undefined ? {} : { runs: [...parsePatterns(options.runs)] }),
    ...(options.operations === undefined ? {} : { ops: [...parseOperations(options.operations)] }),
    cnf: { jwk: next.publicKey },
  }).setProtectedHeader({ alg: 'EdDSA', typ: restrictionType })
  if (options.lifetime !== undefined)
    unsigned.setExpirationTime(now + Math.ceil(durationMs(options.lifetime) / 1_000))
  const mine = { ...holderOf(restrictions.at(-1) ?? signed), d: holderKey }
  const restriction = await unsigned.sign(await importJWK(mine, 'EdDSA'))
  return joinToken({ signed, restrictions: [...restrictions, restriction], holderKey: next.holderKey })
}

/** The key that a part names for its holder, not verified: the edge does that. */
function holderOf(part: string): ReturnType<typeof publicOf> {
  try {
    const { cnf } = decodeJwt<{ cnf?: { jwk?: object } }>(part)
    return publicOf(cnf?.jwk ?? {})
  } catch (cause) {
    throw notValid(cause)
  }
}
