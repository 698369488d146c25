import { describe, expect, it } from 'vitest'
import { conformanceEdge, itKeeps } from './edge-object.ts'
import { durableNames, portCases } from './ports.ts'

/** What became of a run whose object ended while it moved history. */
interface Killed {
  readonly end: object
  readonly ended: boolean
  readonly between: { readonly lines: readonly string[] }
  readonly lines: readonly string[]
  readonly rows: number
  readonly noted: number
  readonly counted: number
  readonly bytes: number
  readonly objects: number
}

describe('a log in a Durable Object whose history is in the bucket', () => {
  const edge = conformanceEdge()
  itKeeps(
    edge,
    [
      ...portCases.filter(([port]) => port === 'log'),
      ...durableNames.map((name) => ['durable', name] as const),
    ],
    { moving: true },
  )

  it('is whole wherever its object ends while it moves history, and leaves nothing behind', async () => {
    const [whole, ...killed] = (await (await fetch(`${edge.url}/killed`)).json()) as readonly Killed[]
    expect(whole).toMatchObject({ ended: false, noted: whole?.objects, counted: whole?.bytes })
    expect(whole?.rows).toBeLessThan(30)
    expect(killed.length).toBeGreaterThan(10)
    for (const { end, ended, between, ...after } of killed) {
      expect({ end, ended }).toEqual({ end, ended: true })
      // What was let go before the end is missing at the beginning, and nothing else.
      expect(between.lines.slice(-(whole?.lines.length ?? 0))).toEqual(whole?.lines)
      expect({ end, ...after }).toMatchObject({
        end,
        lines: whole?.lines,
        noted: after.objects,
        counted: after.bytes,
      })
      expect(after.objects).toBe(whole?.objects)
    }
  })
})
