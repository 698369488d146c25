import type { RunId } from '@waystone/core'

/** The tenant of services that have one: its runs are named as they were before there were tenants. */
export const onlyTenant = 'default'

/** The name of the object of a run. */
export function objectName(tenant: string, run: RunId): string {
  return tenant === onlyTenant ? run : `${tenant}/${run}`
}

/** Where the blobs of a run are in the bucket. */
export function blobFolder(tenant: string, run: RunId): string {
  return tenant === onlyTenant ? `runs/${run}/` : `tenants/${tenant}/runs/${run}/`
}
