import { WaystoneError } from '@waystone/core'
import type { Quota } from '@waystone/edge'
import type { Env } from './env.ts'

/** Origins whose pages may ask, besides the worker's own. */
export function originsOf({ WAYSTONE_ORIGINS = '' }: Env): readonly string[] {
  return WAYSTONE_ORIGINS.split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
}

/** How often may be asked, where rate limiters are bound. */
export function ratesOf({ TENANT_RATE, RUN_RATE }: Env): {
  readonly tenant?: RateLimit
  readonly run?: RateLimit
} {
  return { ...(TENANT_RATE ? { tenant: TENANT_RATE } : {}), ...(RUN_RATE ? { run: RUN_RATE } : {}) }
}

const limits: readonly (keyof Quota)[] = [
  'entriesMax',
  'bytesMax',
  'blobBytesMax',
  'socketsMax',
  'runsMax',
  'tenantSocketsMax',
]

/** How much runs may keep. Throws `input_refused` for what is no quota: what was mistyped must not bound nothing. */
export function quotaOf({ WAYSTONE_QUOTA = '' }: Env): Quota {
  if (WAYSTONE_QUOTA.trim() === '') return {}
  const quota = parsed(WAYSTONE_QUOTA)
  const isQuota =
    typeof quota === 'object' &&
    quota !== null &&
    !Array.isArray(quota) &&
    Object.entries(quota).every(
      ([name, max]) => limits.some((limit) => limit === name) && Number.isSafeInteger(max) && max > 0,
    )
  if (isQuota) return quota
  throw new WaystoneError(
    'input_refused',
    `expected WAYSTONE_QUOTA as JSON with whole numbers for any of ${limits.join(', ')}; found ${WAYSTONE_QUOTA.slice(0, 200)}`,
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
