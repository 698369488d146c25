import { limits } from '../limits.ts'
import type { RunId } from '../ids.ts'
import type { LogStore, RunSummary } from '../ports/log-store.ts'

/** All that a store keeps, runs and sessions, by their ids. */
export async function summariesOf(store: LogStore): Promise<readonly RunSummary[]> {
  const summaries: RunSummary[] = []
  for (let after: RunId | undefined; ;) {
    const page = await store.list(after)
    summaries.push(...page)
    after = page.at(-1)?.run
    if (page.length < limits.listRunsMax) return summaries
  }
}

/** True when it was written down that the edge has the log as it is here. */
export async function isNotedAtEdge(store: LogStore, { run, synced }: RunSummary): Promise<boolean> {
  return synced !== undefined && (await store.head(run))?.seq === synced
}
