import { parseTenant } from '@waystone/access'
import { parseRunId, type RunId } from '@waystone/core'

/** A link to one run, as a token. Its secret is known to whoever has the link; the run keeps only a digest of it. */
export interface Link {
  readonly tenant: string
  readonly run: RunId
  readonly secret: string
}

const start = 'link/'

/** A link as a token. The inverse of `parseLink`. */
export function linkToken({ tenant, run, secret }: Link): string {
  return `${start}${tenant}/${run}/${secret}`
}

/** A link, or undefined for a token of another kind. Throws `input_refused` for a link that is none. */
export function parseLink(token: string): Link | undefined {
  if (!token.startsWith(start)) return undefined
  const [tenant, run, secret = ''] = token.slice(start.length).split('/')
  return { tenant: parseTenant(tenant), run: parseRunId(run), secret }
}
