import { watchdogMs, type RunFamily } from '@waystone/core'
import type { Begun, SqlDueTimes } from '../store/sql-due-times.ts'
import type { RunName, SqlRunName } from '../store/sql-run-name.ts'
import { clearRun, deletionName, type ClearPorts } from './clear-run.ts'
import type { EdgeRun } from './edge-run.ts'

/** After so many tries, which are most of a day, relatives that cannot be told are not told. */
const triesMax = 24

/** What the deletion of a run works with. */
export interface RunDeletionPorts extends Omit<ClearPorts, 'edgeRun' | 'family'> {
  readonly times: SqlDueTimes
  readonly named: SqlRunName
  /** The run, if it was open: nobody has it any more, and who follows it is cut off. Undefined, too, when it cannot be opened. */
  readonly taken: () => Promise<EdgeRun | undefined>
  readonly familyOf: (name: RunName) => RunFamily | undefined
}

/** The deletion of the run of an object: begun once, it goes on by alarm until all of it is gone and its relatives know. */
export class RunDeletion {
  readonly #ports: RunDeletionPorts

  constructor(ports: RunDeletionPorts) {
    this.#ports = ports
  }

  /** From here on the run is deleted, whatever happens before all of it is gone. */
  async begin(name: RunName): Promise<void> {
    const { named, times, familyOf } = this.#ports
    named.set(name)
    named.markDeleted()
    // Should the object die meanwhile, it goes on with it.
    await times.set(deletionName, Date.now() + watchdogMs)
    const again = await this.#clear(name)
    // It does not wait for others.
    if (!(await this.#comesAgain(familyOf(name), again))) await times.delete(deletionName)
  }

  /** What was not finished, and then what relatives are to be told. One that cannot be told is asked again, but not for ever. */
  async goOn(begun: Begun): Promise<void> {
    const { named, times, familyOf } = this.#ports
    const name = named.get()
    if (name === undefined || !named.isDeleted()) return times.settle(begun)
    const again = await this.#clear(name)
    const family = familyOf(name)
    try {
      await family?.deleted(name.run)
    } catch (error) {
      if (begun.tries < triesMax) throw error
      family?.forget()
    }
    if (!(await this.#comesAgain(family, again))) await times.settle(begun)
  }

  /** Sets when there is something left to do, with relatives at once; false when there is nothing. */
  async #comesAgain(family: RunFamily | undefined, at: number | undefined): Promise<boolean> {
    const next = family?.hasRelatives() ? Date.now() : at
    if (next !== undefined) await this.#ports.times.set(deletionName, next)
    return next !== undefined
  }

  /** May be done again, and is when the object dies meanwhile. When it is to be, in ms since 1970, if it is. */
  async #clear(name: RunName): Promise<number | undefined> {
    const { taken, familyOf } = this.#ports
    return clearRun(name, { ...this.#ports, edgeRun: await taken(), family: familyOf(name) })
  }
}
