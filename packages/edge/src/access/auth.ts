import { operations, parseAccessKeys, verifyToken, type Grant, type VerifyOptions } from '@waystone/access'
import { WaystoneError } from '@waystone/core'
import { onlyTenant } from '../store/tenant-names.ts'

/**
 * Tells what a bearer token allows, or throws `unauthorized`. An application with its own sessions writes its own; it is
 * asked once a request, and once for each run that a socket follows.
 */
export type Auth = (bearer: string, request: Request) => Promise<Grant>

/** How many verified tokens are remembered: the next request of the same client need not verify its signatures again. */
const rememberedMax = 1_000

/**
 * Lets in who has a token that one of these keys has signed, as `mintToken` of `@waystone/access` or any library for JSON
 * Web Tokens makes it. `keys` is JSON, see `parseAccessKeys`; without it nobody is let in.
 */
export function signedTokens(keys: string | undefined, options: VerifyOptions = {}): Auth {
  const parsed = keys === undefined || keys === '' ? undefined : parseAccessKeys(keys)
  const remembered = new Map<string, Grant>()
  return async (bearer) => {
    const known = remembered.get(bearer)
    if (known !== undefined && (known.until ?? 0) > Date.now()) return known
    remembered.delete(bearer)
    if (parsed === undefined) throw notLetIn()
    const grant = await verifyToken(parsed, bearer, options)
    const oldest = remembered.size < rememberedMax ? undefined : remembered.keys().next().value
    if (oldest !== undefined) remembered.delete(oldest)
    remembered.set(bearer, grant)
    return grant
  }
}

/**
 * Lets in who has one secret, to do anything with any run: for development, and for services that serve one person. An
 * empty secret lets nobody in.
 */
export function sharedSecret(secret: string | undefined): Auth {
  return async (bearer) => {
    if (secret && (await isSame(bearer, secret))) return everything
    throw notLetIn()
  }
}

/** What the owner of a service may do. */
const everything: Grant = {
  tenant: onlyTenant,
  runs: ['*'],
  operations,
}

/** What a request is allowed. Throws `unauthorized` for one without a token, too. */
export async function letIn(auth: Auth, request: Request): Promise<Grant> {
  const bearer = bearerOf(request)
  if (bearer === undefined) throw notLetIn()
  const grant = await auth(bearer, request)
  if (grant.until !== undefined && grant.until <= Date.now()) throw notLetIn()
  return grant
}

/** The bearer token of a request: in a header or, for WebSockets, which browsers give none, a subprotocol. */
export function bearerOf(request: Request): string | undefined {
  const header = request.headers.get('authorization')
  if (header !== null) return /^Bearer +(\S+)$/i.exec(header)?.[1]
  const token = offeredProtocols(request).find((one) => one.startsWith('token.'))
  return token === undefined ? undefined : textOf(token.slice('token.'.length))
}

/** The subprotocols that are offered for a WebSocket. */
export function offeredProtocols(request: Request): readonly string[] {
  const offered = request.headers.get('sec-websocket-protocol')?.split(',') ?? []
  return offered.map((one) => one.trim())
}

/** The error for who is not let in. */
export function notLetIn(): WaystoneError {
  return new WaystoneError(
    'unauthorized',
    'this request has no valid token: send it as `authorization: Bearer ...`',
  )
}

/** Text from base64url. */
function textOf(base64: string): string | undefined {
  try {
    const binary = atob(base64.replaceAll('-', '+').replaceAll('_', '/'))
    return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
}

/** Compares digests of equal length in constant time, so that timing tells nothing of the secret. */
async function isSame(sent: string, secret: string): Promise<boolean> {
  const digest = (text: string): Promise<ArrayBuffer> =>
    crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return crypto.subtle.timingSafeEqual(await digest(sent), await digest(secret))
}
