import type { AnyAgent } from '@waystone/core'
import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import type { Report } from '../report.ts'
import type { RunSearch } from '../search/tenant-search.ts'
import type { HistoryOptions } from '../store/run-history.ts'
import type { Watch } from '../watch/edge-event.ts'
import type { Quota } from './quota.ts'

/** What the run of an object needs. */
export interface RunHostOptions {
  /** The agents that run at the edge, with what this place provides. Asked whenever one is needed. */
  readonly agents: () => readonly AnyAgent[]
  /**
   * Versions of what the agents depend on, such as `{ ai: '7.0.1' }`: at most 32, of at most 100 characters. They stand in the
   * log with the version of Waystone.
   */
  readonly versions?: Readonly<Record<string, string>>
  /** The bucket of blobs and artifacts. */
  readonly blobs: R2Bucket
  /**
   * The namespace of this object's own class, in which an object has the name that `edgeRoutes` gives it. With it a run can have
   * children here: each is an object of the class, which has to pass `runCall` on. Without it a run that spawns waits for a
   * browser.
   */
  readonly runs?: DurableObjectNamespace
  /** The catalog of a tenant, when there is one: it is told when the status of the run changes. */
  readonly catalog?: (tenant: string) => CatalogCalls
  /** Where the text of runs goes that may be searched. */
  readonly search?: RunSearch
  /** How much a run may keep here. */
  readonly quota?: Quota
  /** With it encrypted runs can go on here: their devices lend this object their keys, for a time. At least 32 random characters. */
  readonly lendingSecret?: string | undefined
  /** What of the history of a run stays in its object: the rest is in the bucket, and read from there. */
  readonly history?: HistoryOptions
  /**
   * After so many steps and turns a run goes on in another alarm, which has a limit of sub-requests and of CPU time of its own.
   * Default 200: lower it for steps that make more than a few requests each, or compute for long.
   */
  readonly stepsAnAlarm?: number
  /**
   * Replays every turn before it commits, as `openWaystone({ development: true })` does: for `wrangler dev`. It finds chance and
   * variables; the clock of an object stands still between its requests, so that its own time is better looked for in a browser.
   */
  readonly development?: boolean
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
  /** Hears of what is stored and read, and of changes of the owner. */
  readonly watch?: Watch
}

/** What an object does when one of its own due times has come. */
export type OwnWork = (name: string) => void | Promise<void>
