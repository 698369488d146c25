import { durationMs, WaystoneError, type Duration } from '@waystone/core'
import { CompactSign, compactVerify, errors, importJWK, jwtVerify, type JWK, type JWTPayload } from 'jose'
import {
  narrowed,
  parseGrant,
  parseOperations,
  parsePatterns,
  type Grant,
  type Restriction,
} from './grant.ts'
import type { AccessKey } from './keys.ts'
import { audience, notValid, publicOf, restrictionType, splitToken } from './token-parts.ts'

/** How to verify tokens. */
export interface VerifyOptions {
  /** A token that is valid for longer than this is refused, however it is signed. Default an hour. */
  readonly lifetimeMax?: Duration
  /** Now, in ms since 1970. */
  readonly now?: number
}

/** How far the clock of whoever minted a token may be off, in s. */
const clockToleranceS = 30

/** What a token allows, its restrictions counted in. Throws `unauthorized`, which does not tell which part was wrong. */
export async function verifyToken(
  keys: readonly AccessKey[],
  token: string,
  options: VerifyOptions = {},
): Promise<Grant> {
  const { signed, restrictions, holderKey } = splitToken(token)
  const now = options.now ?? Date.now()
  const when = { currentDate: new Date(now), clockTolerance: clockToleranceS }
  try {
    const { payload } = await jwtVerify(
      signed,
      async ({ kid, alg }) => {
        const key = keys.find((one) => one.kid === kid && one.alg === alg)
        if (key === undefined) throw notValid()
        return importJWK(key.alg === 'EdDSA' ? { ...publicOf(key) } : key, key.alg)
      },
      { ...when, audience, algorithms: ['EdDSA', 'HS256'], requiredClaims: ['iat', 'exp'] },
    )
    const { iat = 0, exp = 0 } = payload
    if (exp - iat > durationMs(options.lifetimeMax ?? '1h') / 1_000) throw notValid()
    if (iat > now / 1_000 + clockToleranceS) throw notValid()
    let grant = grantOf(payload, exp)
    let holder = holderIn(payload)
    for (const restriction of restrictions) {
      const verified = await jwtVerify(restriction, await importJWK(mustBe(holder), 'EdDSA'), {
        ...when,
        algorithms: ['EdDSA'],
        typ: restrictionType,
      })
      grant = narrowed(grant, restrictionOf(verified.payload))
      holder = holderIn(verified.payload)
    }
    if (holder !== undefined) await proveHolder(holder, holderKey)
    else if (holderKey !== undefined) throw notValid()
    return grant
  } catch (error) {
    if (error instanceof errors.JWTExpired)
      throw new WaystoneError('unauthorized', 'this token has expired: get a new one', {
        actions: ['reload'],
      })
    throw notValid(error)
  }
}

function grantOf({ tenant, sub, runs, ops }: JWTPayload, exp: number): Grant {
  return parseGrant({
    tenant,
    ...(sub === undefined ? {} : { subject: sub }),
    runs,
    operations: ops,
    until: exp * 1_000,
  })
}

function restrictionOf({ runs, ops, exp }: JWTPayload): Restriction {
  return {
    ...(runs === undefined ? {} : { runs: parsePatterns(runs) }),
    ...(ops === undefined ? {} : { operations: parseOperations(ops) }),
    ...(exp === undefined ? {} : { until: exp * 1_000 }),
  }
}

/** The key of whoever holds the token (RFC 7800). */
function holderIn({ cnf }: JWTPayload): JWK | undefined {
  return typeof cnf === 'object' && cnf !== null && 'jwk' in cnf ? publicOf(cnf.jwk as JWK) : undefined
}

function mustBe(holder: JWK | undefined): JWK {
  if (holder === undefined) throw notValid()
  return holder
}

/**
 * Throws unless the private half is that of the last key that the token names: a token whose last restrictions were cut
 * off ends in the wrong one.
 */
async function proveHolder(holder: JWK, holderKey: string | undefined): Promise<void> {
  const mine = await importJWK({ ...holder, d: holderKey ?? '' }, 'EdDSA')
  const proof = await new CompactSign(new Uint8Array()).setProtectedHeader({ alg: 'EdDSA' }).sign(mine)
  await compactVerify(proof, await importJWK(holder, 'EdDSA'), { algorithms: ['EdDSA'] })
}
