import { WaystoneError, type RunId } from '@waystone/core'
import type { SqlCatalog } from './sql-catalog.ts'

/**
 * Runs that one alarm deletes: each is a request, and some more where the platform counts those that its object makes; an invocation may
 * make 1,000 (2026).
 */
const deletedAnAlarm = 300
/** When those that were not deleted are tried again: after this at first, and twice as long each time, in ms. */
const againMsMin = 10_000
const againMsMax = 60 * 60_000
/** Where it is written down of which tenant runs are to be deleted, up to which they were, and how often all of them were tried. */
const tenantKey = 'deleting'
const upToKey = 'deleted'
const triesKey = 'deletion tries'

/** What the deletion of all runs works with. */
export interface RunsDeletionPorts {
  readonly storage: DurableObjectStorage
  readonly catalog: Pick<SqlCatalog, 'setDeleting' | 'deleting' | 'remove'>
  /** What goes with the runs, at once. */
  readonly deleteElse: () => void
  /** Rejects when a run was not deleted. */
  readonly deleteRun: (tenant: string, run: RunId) => Promise<void>
}

/**
 * The deletion of all runs that a catalog has when it begins: it goes on by the alarm of the object, some at a time, until none of them
 * is left. What comes later stays.
 */
export class RunsDeletion {
  readonly #ports: RunsDeletionPorts

  constructor(ports: RunsDeletionPorts) {
    this.#ports = ports
  }

  /**
   * From here on all runs that the tenant has now are being deleted, whatever happens before they are; begun once more, those that it has
   * then, too.
   */
  async begin(tenant: string): Promise<void> {
    const { storage } = this.#ports
    this.#writeDown()
    // Nothing is awaited before all of it is written, so that it is stored together.
    await Promise.all([
      storage.put({ [tenantKey]: tenant, [triesKey]: 0 }),
      storage.delete(upToKey),
      storage.setAlarm(Date.now()),
    ])
  }

  /** Call it when the object wakes: an alarm that the runtime has given up is set again. */
  async rearm(): Promise<void> {
    const { storage } = this.#ports
    const isDeleting = (await storage.get(tenantKey)) !== undefined
    if (isDeleting && (await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + againMsMin)
  }

  /**
   * Deletes as many as one alarm may. One that fails holds up no other: it is tried again after all of them. Rejects with how
   * many have failed, and why the first did.
   */
  async goOn(): Promise<void> {
    const { storage, catalog } = this.#ports
    const tenant = await storage.get<string>(tenantKey)
    if (tenant === undefined) return
    const upTo = await storage.get<RunId>(upToKey)
    // Whatever ends this alarm, there is another: one that throws seven times is gone for ever.
    await this.#putOff(upTo === undefined)
    const some = catalog.deleting(deletedAnAlarm, upTo)
    const failures = await this.#deleteEach(tenant, some)
    const last = some.length < deletedAnAlarm ? undefined : some.at(-1)
    if (last !== undefined) {
      await storage.put(upToKey, last)
      await storage.setAlarm(Date.now())
    } else {
      await storage.delete(upToKey)
      // What is left has failed, or was written down meanwhile.
      if (catalog.deleting(1).length === 0) await this.#end()
    }
    if (failures.count > 0)
      throw new WaystoneError('unreachable', `${String(failures.count)} runs were not deleted yet`, {
        cause: failures.first,
      })
  }

  #writeDown(): void {
    this.#ports.catalog.setDeleting()
    this.#ports.deleteElse()
  }

  /** Sets when the runs are tried again that are left after this, each time later; `isFirst`: all of them are tried from here on. */
  async #putOff(isFirst: boolean): Promise<void> {
    const { storage } = this.#ports
    const before = await storage.get<number>(triesKey)
    // An earlier version has begun it, and written down no runs.
    if (before === undefined) this.#writeDown()
    const tries = (before ?? 0) + (isFirst ? 1 : 0)
    const again = Math.min(againMsMin * 2 ** Math.max(0, tries - 1), againMsMax)
    await Promise.all([storage.put(triesKey, tries), storage.setAlarm(Date.now() + again)])
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
    const { storage } = this.#ports
    await Promise.all([storage.delete([tenantKey, triesKey]), storage.deleteAlarm()])
  }
}
