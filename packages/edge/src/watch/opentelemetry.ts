import { metrics, type MeterProvider } from '@opentelemetry/api'
import type { Watch } from './edge-event.ts'

/**
 * Gives each event to OpenTelemetry: the histograms `waystone.duration` (ms) and `waystone.size` (bytes), the counters
 * `waystone.entries` and `waystone.refusals`, each with the type of the event and who or why. Which exporter takes them is the
 * application's choice; without one nothing happens.
 */
export function otelEvents(provider: MeterProvider = metrics.getMeterProvider()): Watch {
  const meter = provider.getMeter('waystone')
  const duration = meter.createHistogram('waystone.duration', {
    unit: 'ms',
    description: 'How long the edge took.',
  })
  const size = meter.createHistogram('waystone.size', {
    unit: 'By',
    description: 'What was stored, read or sent.',
  })
  const entries = meter.createCounter('waystone.entries', {
    description: 'Entries that were stored or read.',
  })
  const refusals = meter.createCounter('waystone.refusals', { description: 'Requests that were refused.' })
  return (event) => {
    if (event.type === 'refusal') return refusals.add(1, { code: event.code, route: event.route })
    const kind =
      event.type === 'claim' ? { type: event.type, reason: event.reason } : { type: event.type, by: event.by }
    duration.record(event.ms, kind)
    size.record(event.bytes, kind)
    if (event.type !== 'claim') entries.add(event.entries, kind)
  }
}
