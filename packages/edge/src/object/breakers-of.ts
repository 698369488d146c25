import { Breakers } from '@waystone/core'
import { edgeClock } from './edge-clock.ts'

/** Tenants whose breakers are remembered; those asked for longest ago are forgotten, which closes them. */
const tenantsMax = 1_000

const byTenant = new Map<string, Breakers>()

/**
 * The circuit breakers that the runs of a tenant share, as far as their objects are in one isolate. They outlive the
 * alarms of a run, not the isolate.
 */
export function breakersOf(tenant: string): Breakers {
  const breakers = byTenant.get(tenant) ?? new Breakers(edgeClock)
  byTenant.delete(tenant)
  byTenant.set(tenant, breakers)
  const oldest = byTenant.size > tenantsMax ? byTenant.keys().next().value : undefined
  if (oldest !== undefined) byTenant.delete(oldest)
  return breakers
}
