import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { expect, it } from 'vitest'
import { otelEvents } from './opentelemetry.ts'

/** Reads when the test asks. */
class Reader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }
}

it('otelEvents() gives durations, sizes and counts to whichever provider the application has', async () => {
  const reader = new Reader()
  const watch = otelEvents(new MeterProvider({ readers: [reader] }))
  watch({ type: 'save', by: 'device', tenant: 'acme', ms: 4, bytes: 100, entries: 3 })
  watch({ type: 'save', by: 'device', tenant: 'acme', ms: 6, bytes: 50, entries: 2 })
  watch({ type: 'restore', by: 'edge', ms: 1, bytes: 10, entries: 1 })
  watch({ type: 'claim', reason: 'moved', from: 'a', to: 'b', ms: 2, bytes: 20 })
  watch({ type: 'refusal', code: 'forbidden', status: 403, route: 'links', ms: 1, bytes: 0 })
  const { resourceMetrics } = await reader.collect()
  const points = resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => {
        const sum = typeof value === 'number' ? value : 'sum' in value ? value.sum : undefined
        return [descriptor.name, attributes, sum] as const
      }),
    ),
  )
  expect(points).toEqual(
    expect.arrayContaining([
      ['waystone.duration', { type: 'save', by: 'device' }, 10],
      ['waystone.size', { type: 'save', by: 'device' }, 150],
      ['waystone.entries', { type: 'save', by: 'device' }, 5],
      ['waystone.entries', { type: 'restore', by: 'edge' }, 1],
      ['waystone.duration', { type: 'claim', reason: 'moved' }, 2],
      ['waystone.refusals', { code: 'forbidden', route: 'links' }, 1],
    ]),
  )
})
