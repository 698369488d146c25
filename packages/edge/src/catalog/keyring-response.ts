import { WaystoneError } from '@waystone/core'
import type { Asking } from '../access/asking.ts'
import { readJson } from '../http/body.ts'
import { routes } from '../http/routes.ts'
import type { SqlKeyrings } from './sql-keyrings.ts'

/** Gives or keeps the keyring of whoever asks. Rejects with `head_moved`, `request_refused`. */
export async function keyringResponse(
  request: Request,
  { subject = '' }: Asking,
  keyrings: SqlKeyrings,
): Promise<Response> {
  if (request.method === 'GET') return Response.json({ keyring: keyrings.get(subject) })
  const body = (await readJson(request, routes.putKeyring.body.bytesMax)) as {
    readonly keyring?: { readonly version?: unknown } | null
  } | null
  const version = body?.keyring?.version
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    throw new WaystoneError('request_refused', 'expected `keyring` with a version from 1 on')
  keyrings.put(subject, { ...body?.keyring, version: version as number })
  return new Response(null, { status: 204 })
}
