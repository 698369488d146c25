import type { OwnerId, Place, RunId, RunStatus } from '@waystone/core'

/** What the catalog of a tenant knows of one run. */
export interface CatalogEntry {
  readonly run: RunId
  readonly agent: string
  readonly status: RunStatus
  /** Where its owner is. */
  readonly place: Place
  readonly owner: OwnerId
  /** Names of checkpoints. */
  readonly labels: readonly string[]
  /**
   * True when its object, as it read it last, found the log whole. False from when its newest entries are found damaged, until they
   * come back from a device or somebody decides to go on without them.
   */
  readonly valid: boolean
  /** When it began, and when anything of this changed, in ms since 1970. */
  readonly started: number
  readonly updated: number
}

/** What is asked of a catalog. */
export interface CatalogQuery {
  readonly status?: string | undefined
  readonly agent?: string | undefined
  readonly place?: string | undefined
  readonly label?: string | undefined
  readonly valid?: boolean | undefined
  /** Changed from then on, and before then, in ms since 1970. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Which runs may be seen: ids, or what ids begin with and `*`. */
  readonly runs: readonly string[]
  /** In the order of their ids, as for who may see some runs only. */
  readonly byId?: boolean
  /** Where the page before this one ended. */
  readonly after?: string | undefined
  readonly limit: number
}

/** One page. `next` is there when there may be more: a page ends, too, when enough runs were looked at. */
export interface CatalogPage {
  readonly runs: readonly CatalogEntry[]
  readonly next?: string
}

/** What runs tell the catalog of their tenant, and the worker asks it. */
export interface CatalogCalls {
  /** Replaces what is known of a run, unless something newer is: `version` grows with each change. */
  put(entry: CatalogEntry, version: number): Promise<void>
  /** There are blobs of a run, and no entry yet: it is in no list, and is deleted with all others. */
  begun(run: string): Promise<void>
  remove(run: string): Promise<void>
  /**
   * Keeps a place for a run that is about to begin, until it is told of or released, for an hour at most; one that is known has its place.
   * False when there are `runsMax` runs already, with those that have a place.
   */
  reserve(run: string, runsMax: number): Promise<boolean>
  /** The run has not begun. */
  release(run: string): Promise<void>
  /**
   * Keeps a place for a socket until it is closed, for an hour and some minutes at most. False when the tenant has `socketsMax` places
   * already.
   */
  openSocket(id: string, socketsMax: number): Promise<boolean>
  closeSocket(id: string): Promise<void>
  /** How many runs there are, with those of which there are blobs only. */
  runs(): Promise<number>
  page(query: CatalogQuery): Promise<CatalogPage>
}

/** The namespace of the class that `catalogObject` made. */
export type CatalogNamespace = DurableObjectNamespace<Rpc.DurableObjectBranded & CatalogCalls>
