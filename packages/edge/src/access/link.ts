import { parseTenant } from '@waystone/access'
import { parseRunId, WaystoneError, type RunId } from '@waystone/core'

/** A link to one run, as a token. Its secret is known to whoever has the link; the run keeps only a digest of it. */
export interface Link {
  readonly tenant: string
  readonly run: RunId
  readonly secret: string
}

const start = 'link/'
/** Two ids. */
const secretForm = /^[0-9a-hjkmnp-tv-z]{40}$/

/** A link as a token. The inverse of `parseLink`. */
export function linkToken({ tenant, run, secret }: Link): string {
  return `${start}${tenant}/${run}/${secret}`
}

/** A link, or undefined for a token of another kind. Throws `input_refused` for a link that is none. */
export function parseLink(token: string): Link | undefined {
  if (!token.startsWith(start)) return undefined
  const [tenant, run, secret = '', ...more] = token.slice(start.length).split('/')
  if (!secretForm.test(secret) || more.length > 0)
    throw new WaystoneError('input_refused', 'this is not the token of a link')
  return { tenant: parseTenant(tenant), run: parseRunId(run), secret }
}
