import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CaseResult } from '@waystone/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from '../harness/edge-process.ts'
import { hostCases } from './hosts.ts'
import { durableNames, portCases } from './ports.ts'

/** What an object does not do, and why. */
const notHere: Readonly<Record<string, string>> = {
  'list() pages': 'an object has one run: the list of all runs is the catalog',
  'close() waits for appends under way; afterwards everything rejects with `closed`':
    'an object has nothing to close: the runtime ends it',
  'closing one leaves the others open': 'an object has nothing to close: the runtime ends it',
}

const cases = [...portCases, ...hostCases('clock'), ...durableNames.map((name) => ['durable', name] as const)]

/** What became of a run whose object ended while it moved history. */
interface Killed {
  readonly end: object
  readonly ended: boolean
  readonly between: { readonly lines: readonly string[] }
  readonly lines: readonly string[]
  readonly rows: number
  readonly noted: number
  readonly objects: number
}

describe('SQLite in a Durable Object, R2 and its clock, in workerd', () => {
  let edge: EdgeProcess
  let persistTo: string
  beforeAll(async () => {
    persistTo = await mkdtemp(join(tmpdir(), 'waystone-conformance-'))
    edge = await startEdge({ persistTo, config: join(import.meta.dirname, 'edge/wrangler.toml') })
  })
  afterAll(async () => {
    await edge.stop()
    await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
  })

  for (const [port, name] of cases) {
    if (notHere[name] !== undefined) continue
    it(`${port}: ${name}`, async () => {
      const response = await fetch(edge.url, { method: 'POST', body: JSON.stringify({ port, name }) })
      const result = (await response.json()) as CaseResult
      expect(result).toEqual({ name, ok: true })
    })
  }

  const moving = [
    ...portCases.filter(([port]) => port === 'log'),
    ...durableNames.map((name) => ['durable', name] as const),
  ]
  for (const [port, name] of moving) {
    if (notHere[name] !== undefined) continue
    it(`${port}, its history in the bucket: ${name}`, async () => {
      const response = await fetch(edge.url, {
        method: 'POST',
        body: JSON.stringify({ port, name, moving: true }),
      })
      expect((await response.json()) as CaseResult).toEqual({ name, ok: true })
    })
  }

  it('has its log whole wherever it ends while it moves history, and leaves nothing behind', async () => {
    const [whole, ...killed] = (await (await fetch(`${edge.url}/killed`)).json()) as readonly Killed[]
    expect(whole).toMatchObject({ ended: false, noted: whole?.objects })
    expect(whole?.rows).toBeLessThan(30)
    expect(killed.length).toBeGreaterThan(10)
    for (const { end, ended, between, ...after } of killed) {
      expect({ end, ended }).toEqual({ end, ended: true })
      // What was let go before the end is missing at the beginning, and nothing else.
      expect(between.lines.slice(-(whole?.lines.length ?? 0))).toEqual(whole?.lines)
      expect({ end, ...after }).toMatchObject({ end, lines: whole?.lines, noted: after.objects })
      expect(after.objects).toBe(whole?.objects)
    }
  })

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

  it('leaves out only what it has a reason for', () => {
    const names = new Set<string>(cases.map(([, name]) => name))
    expect(Object.keys(notHere).filter((name) => !names.has(name))).toEqual([])
  })
})
