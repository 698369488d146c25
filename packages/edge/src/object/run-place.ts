import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import type { Report } from '../report.ts'
import type { RunName } from '../store/sql-run-name.ts'
import { noPlace } from './quota.ts'

/** What the place of a run depends on. */
export interface RunPlacePorts {
  readonly catalog: ((tenant: string) => CatalogCalls) | undefined
  readonly runsMax: number | undefined
  /** False until anything of the run was stored here: then the catalog is told of it. */
  readonly isNamed: () => boolean
  readonly report: Report
}

/** The place of a run among those that its tenant may have. The catalog keeps it while a device brings the first of the run. */
export class RunPlace {
  readonly #ports: RunPlacePorts
  /** Requests that may begin the run, and are not over. */
  #asking = 0

  constructor(ports: RunPlacePorts) {
    this.#ports = ports
  }

  /** A request that comes: `take` rejects with `limit_exceeded` when there is no place for a run that is not here; call `over` when it is answered. */
  asked(name: RunName): { take(): Promise<void>; over(): Promise<void> } {
    const { catalog, runsMax, isNamed } = this.#ports
    let hasTaken = false
    return {
      take: async () => {
        if (runsMax === undefined || catalog === undefined || hasTaken || isNamed()) return
        // Counted before it is there: of requests for one run the last gives it back.
        this.#asking += 1
        hasTaken = await catalog(name.tenant)
          .reserve(name.run, runsMax)
          .finally(() => (this.#asking -= 1))
        if (!hasTaken) throw noPlace(name.run, runsMax)
        this.#asking += 1
      },
      over: async () => {
        if (!hasTaken) return
        this.#asking -= 1
        if (this.#asking === 0 && !isNamed()) await this.#release(name)
      },
    }
  }

  /** One that is not given back is forgotten after a while. */
  async #release({ run, tenant }: RunName): Promise<void> {
    const { catalog, report } = this.#ports
    await catalog?.(tenant)
      .release(run)
      .catch((error: unknown) => report({ where: 'catalog', run, error }))
  }
}
