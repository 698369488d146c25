import { describe, expect, it } from 'vitest'
import { conformanceEdge, itKeeps, notHere } from './edge-object.ts'
import { hostCases } from './hosts.ts'
import { durableNames, portCases } from './ports.ts'

const cases = [...portCases, ...hostCases('clock'), ...durableNames.map((name) => ['durable', name] as const)]

describe('SQLite in a Durable Object, R2 and its clock, in workerd', () => {
  const edge = conformanceEdge()
  itKeeps(edge, cases)

  it('keeps a row an append, and packs those rows by themselves that save more than rewriting them costs', async () => {
    const { before, after } = (await (await fetch(`${edge.url}/packing`)).json()) as Record<
      'before' | 'after',
      readonly { readonly entries: number; readonly bytes: number }[]
    >
    expect(before.map(({ entries }) => entries)).toEqual(before.map(() => 1))
    expect(before).toHaveLength(20)
    expect(after).toHaveLength(20)
    expect(after.slice(10)).toEqual(before.slice(10))
    for (const [index, { bytes }] of after.slice(0, 10).entries())
      expect(bytes).toBeLessThan((before[index]?.bytes ?? 0) / 10)
  })

  it('counts its blobs in R2, however they come and go', async () => {
    expect(await (await fetch(`${edge.url}/counted`)).json()).toEqual({
      'a row': 0,
      'from a device': 70_000,
      'from a device again': 70_000,
      'by the object': 170_000,
      shared: 170_000,
      removed: 100_000,
      'removed of another run': 170_000,
    })
  })

  it('keeps room for blobs on their way to R2 until they are there or late, and then counts those that came', async () => {
    const counts = await (await fetch(`${edge.url}/expected`)).json()
    expect(counts).toEqual([370_000, 170_000, 170_000])
  })

  it('puts a blob again that R2 does not take, and says then that its storage fails, unless the blob is another one', async () => {
    expect(await (await fetch(`${edge.url}/refused`)).json()).toEqual({
      putLate: { end: 'stored', puts: 2 },
      putNever: { end: 'storage_failed', puts: 4 },
      putWrong: { end: 'request_refused', puts: 1 },
      sharedLate: { end: 'stored', puts: 2 },
      left: 1,
    })
  })

  it('keeps no blob of a run that was deleted while it was on its way, whoever brings it, and whether they stay', async () => {
    const gone = { code: 'run_deleted', blobs: 0 }
    const left = { finished: 1, blobs: 0 }
    expect(await (await fetch(`${edge.url}/deleted`)).json()).toEqual({
      ...{ put: gone, share: gone },
      ...{ leftPut: left, leftShare: left },
    })
  })

  it('passes over what a device says to a run that was deleted, and reports a run that cannot be opened to hear it', async () => {
    expect(await (await fetch(`${edge.url}/late`)).json()).toEqual({
      deleted: { taken: true, reported: [] },
      unreadable: { taken: true, reported: [{ where: 'frame' }] },
    })
  })

  it('looks for blobs of a deleted run once more when none that was on its way can come any more', async () => {
    const counts = await (await fetch(`${edge.url}/untold`)).json()
    expect(counts).toEqual({ minutes: 60, before: 1, early: 1, after: 0, next: null })
  })

  it('leaves out only what it has a reason for', () => {
    const names = new Set<string>(cases.map(([, name]) => name))
    expect(Object.keys(notHere).filter((name) => !names.has(name))).toEqual([])
  })
})
