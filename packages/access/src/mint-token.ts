import { durationMs, type Duration } from '@waystone/core'
import { importJWK, SignJWT } from 'jose'
import { parseGrant, type Grant } from './grant.ts'
import type { AccessKey } from './keys.ts'
import { audience, joinToken, newHolderKey } from './token-parts.ts'

/** How to mint a token. */
export interface MintOptions {
  /** How long it is valid; default 10 minutes. The edge takes none that is valid for longer than an hour. */
  readonly lifetime?: Duration
  /** When it begins, in ms since 1970; default now. */
  readonly now?: number
}

/**
 * Mints a token for whoever the application has let in; on a server, since the key is a secret. Any library for JSON Web
 * Tokens can do the same: the claims are `aud: 'waystone'`, `tenant`, `sub`, `runs`, `ops`, `iat`, `exp`. Throws
 * `input_refused`.
 *
 * @example
 * const token = await mintToken(key, { tenant: 'acme', subject: user.id, runs: [`${user.id}.*`], operations: ['read', 'append', 'claim', 'answer', 'send'] })
 */
export async function mintToken(
  key: AccessKey,
  grant: Omit<Grant, 'until'>,
  options: MintOptions = {},
): Promise<string> {
  const { tenant, subject, runs, operations } = parseGrant(grant)
  const now = Math.floor((options.now ?? Date.now()) / 1_000)
  const { publicKey, holderKey } = await newHolderKey()
  const unsigned = new SignJWT({ tenant, runs: [...runs], ops: [...operations], cnf: { jwk: publicKey } })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT' })
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + Math.ceil(durationMs(options.lifetime ?? '10m') / 1_000))
  if (subject !== undefined) unsigned.setSubject(subject)
  const signed = await unsigned.sign(await importJWK(key, key.alg))
  return joinToken({ signed, restrictions: [], holderKey })
}
