import { parseRunId } from '@waystone/core'
import { expect, it } from 'vitest'
import { checkQuota, type Coming, type Kept, type Quota } from './quota.ts'

const run = parseRunId('ana.trip')
const quota: Quota = { entriesMax: 10, bytesMax: 1_000, blobBytesMax: 500 }
const nothing: Kept = { entries: 0, bytes: 0, blobBytes: 0, historyBytes: 0 }
const blobs = (bytes: number): Coming => ({ blobs: [{ hash: '0'.repeat(64) as never, bytes }] })
const said = (kept: Partial<Kept>, coming: Coming): string => {
  try {
    checkQuota(run, quota, { ...nothing, ...kept }, coming)
    return 'taken'
  } catch (error) {
    return (error as Error).message
  }
}

it('takes what there is room for, and what is stored already', () => {
  expect(said({}, { entries: 10 })).toBe('taken')
  expect(said({ bytes: 1_000, blobBytes: 250, historyBytes: 150 }, blobs(100))).toBe('taken')
  const full = { entries: 11, bytes: 5_000, blobBytes: 900, historyBytes: 900 }
  expect(said(full, { entries: 11 })).toBe('taken')
})

it('says which limit was reached', () => {
  expect(said({ entries: 10 }, { entries: 11 })).toContain('10 entries')
  expect(said({ bytes: 1_001 }, { entries: 1 })).toContain('1000 bytes')
  expect(said({ blobBytes: 450 }, blobs(51))).toContain('500 bytes of history and of blobs')
})

it('lets a full run be claimed, to be moved to where it is let go of, though not for ever', () => {
  expect(said({ entries: 109, bytes: 5_000, historyBytes: 900 }, { claim: true })).toBe('taken')
  expect(said({ entries: 110 }, { claim: true })).toContain('10 entries')
})

it('counts the history that has moved to the bucket: before more entries, and before more blobs', () => {
  expect(said({ historyBytes: 501 }, { entries: 1 })).toContain('500 bytes of history and of blobs')
  expect(said({ blobBytes: 250, historyBytes: 200 }, blobs(51))).toContain(
    '500 bytes of history and of blobs',
  )
})
