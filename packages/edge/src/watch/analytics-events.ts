import type { Watch } from './edge-event.ts'

/**
 * Writes each event as a data point of Workers Analytics Engine. The index is the tenant; `blobs` are the type, the run, and
 * who or why; `doubles` are ms, bytes and entries.
 */
export function analyticsEvents(dataset: AnalyticsEngineDataset): Watch {
  return (event) => {
    const { type, tenant = '', run = '', ms, bytes } = event
    const what = type === 'refusal' ? event.code : type === 'claim' ? event.reason : event.by
    const entries = type === 'save' || type === 'restore' ? event.entries : 0
    dataset.writeDataPoint({ indexes: [tenant], blobs: [type, run, what], doubles: [ms, bytes, entries] })
  }
}
