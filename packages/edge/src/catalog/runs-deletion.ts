import { WaystoneError, type RunId } from '@waystone/core'
import type { SqlCatalog } from './sql-catalog.ts'

/**
 * Runs that one alarm deletes: each is a request, and some more where the platform counts those that its object makes; an invocation may
 * make 1,000 (2026).
 */
const deletedAnAlarm = 300
/** When those that were not deleted are tried again, in ms. */
const againMs = 10_000
/** Where it is written down that all runs of a tenant are to be deleted, and up to which they were. */
const tenantKey = 'deleting'
const upToKey = 'deleted'

/** What the deletion of all runs works with. */
export interface RunsDeletionPorts {
  readonly storage: DurableObjectStorage
  readonly catalog: Pick<SqlCatalog, 'all' | 'remove'>
  /** What goes with the runs. */
  readonly deleteElse: () => void
  /** Rejects when a run was not deleted. */
  readonly deleteRun: (tenant: string, run: RunId) => Promise<void>
}

/** The deletion of all runs that a catalog has: begun once, it goes on by the alarm of the object, some at a time, until none is left. */
export class RunsDeletion {
  readonly #ports: RunsDeletionPorts

  constructor(ports: RunsDeletionPorts) {
    this.#ports = ports
  }

  /** From here on all runs of the tenant are being deleted, whatever happens before they are. */
  async begin(tenant: string): Promise<void> {
    const { storage } = this.#ports
    await storage.put(tenantKey, tenant)
    await storage.setAlarm(Date.now())
  }

  /** Call it when the object wakes: an alarm that the runtime has given up is set again. */
  async rearm(): Promise<void> {
    const { storage } = this.#ports
    const isDeleting = (await storage.get(tenantKey)) !== undefined
    if (isDeleting && (await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + againMs)
  }

  /**
   * Deletes as many as one alarm may. One that fails holds up no other: it is tried again after all of them. Rejects with how
   * many have failed, and why the first did.
   */
  async goOn(): Promise<void> {
    const { storage, catalog } = this.#ports
    const tenant = await storage.get<string>(tenantKey)
    if (tenant === undefined) return
    // Whatever ends this alarm, there is another: one that throws seven times is gone for ever.
    await storage.setAlarm(Date.now() + againMs)
    this.#ports.deleteElse()
    const some = catalog.all(deletedAnAlarm, await storage.get<RunId>(upToKey))
    const failures = await this.#deleteEach(tenant, some)
    const last = some.length < deletedAnAlarm ? undefined : some.at(-1)
    if (last !== undefined) {
      await storage.put(upToKey, last)
      await storage.setAlarm(Date.now())
    } else {
      await storage.delete(upToKey)
      // What is left has failed, or was told of meanwhile.
      if (catalog.all(1).length === 0) await this.#end()
    }
    if (failures.count > 0)
      throw new WaystoneError('unreachable', `${String(failures.count)} runs were not deleted yet`, {
        cause: failures.first,
      })
  }

  async #deleteEach(
    tenant: string,
    runs: readonly RunId[],
  ): Promise<{ readonly count: number; readonly first: unknown }> {
    let [count, first]: [number, unknown] = [0, undefined]
    for (const run of runs) {
      try {
        await this.#ports.deleteRun(tenant, run)
        this.#ports.catalog.remove(run)
      } catch (error) {
        if (count === 0) first = error
        count += 1
      }
    }
    return { count, first }
  }

  async #end(): Promise<void> {
    await this.#ports.storage.delete(tenantKey)
    await this.#ports.storage.deleteAlarm()
  }
}
