import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { drawPage, type KeptReport } from '../bench/plots/page.ts'

const docs = join(import.meta.dirname, '../../docs')
const kept = readdirSync(join(docs, 'measured'))
const reports = kept
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(join(docs, 'measured', file), 'utf8')) as KeptReport)

describe('the page of measurements', () => {
  it('shows what the reports beside it say, and nothing else', () => {
    const drawn = drawPage(reports)
    for (const [path, content] of drawn) expect(readFileSync(join(docs, path), 'utf8')).toBe(content)
    const images = kept.filter((file) => file.endsWith('.svg')).map((file) => `measured/${file}`)
    expect(images.toSorted()).toEqual([...drawn.keys()].filter((path) => path.endsWith('.svg')).toSorted())
  })
})
