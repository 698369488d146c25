import { sharedSecret, signedTokens, type Auth } from '@waystone/edge'
import type { Env } from './env.ts'

/** Who is let in: with keys, whoever has a signed token; else whoever has the one secret, which suits one person. */
export function authOf({ WAYSTONE_KEYS, WAYSTONE_TOKEN }: Env): Auth {
  return WAYSTONE_KEYS ? signedTokens(WAYSTONE_KEYS) : sharedSecret(WAYSTONE_TOKEN)
}
