import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allows, narrowed, operations, parseGrant, type Grant } from './grant.ts'

const grant: Grant = { tenant: 'acme', runs: ['ana.*', 'shared'], operations: ['read', 'answer'] }

describe('a grant', () => {
  it('has its operations for its runs, and nothing else', () => {
    expect(allows(grant, 'ana.1', 'read')).toBe(true)
    expect(allows(grant, 'shared', ['append', 'answer'])).toBe(true)
    expect(allows(grant, 'ana.1', 'append')).toBe(false)
    expect(allows(grant, 'ana', 'read')).toBe(false)
    expect(allows(grant, 'shared.too', 'read')).toBe(false)
    expect(allows({ ...grant, runs: [] }, 'shared', 'read')).toBe(false)
    expect(allows({ ...grant, runs: ['*'] }, 'any', 'read')).toBe(true)
  })

  it('narrowed, allows exactly what both allow', () => {
    const id = fc.stringMatching(/^[ab]{1,3}$/)
    const patterns = fc.array(
      fc.oneof(
        id,
        id.map((text) => `${text}*`),
        fc.constant('*'),
      ),
      { maxLength: 4 },
    )
    const some = fc.subarray([...operations])
    fc.assert(
      fc.property(patterns, patterns, some, some, id, (runs, fewer, ops, kept, run) => {
        const whole: Grant = { tenant: 't', runs, operations: ops }
        const less = narrowed(whole, { runs: fewer, operations: kept })
        for (const operation of operations) {
          const both =
            allows(whole, run, operation) &&
            allows({ ...whole, runs: fewer, operations: kept }, run, operation)
          expect(allows(less, run, operation)).toBe(both)
        }
      }),
    )
  })

  it('narrowed, never lasts longer', () => {
    expect(narrowed({ ...grant, until: 5 }, { until: 9 }).until).toBe(5)
    expect(narrowed({ ...grant, until: 5 }, { until: 3 }).until).toBe(3)
    expect(narrowed(grant, { until: 3 }).until).toBe(3)
    expect(narrowed(grant, {}).until).toBeUndefined()
  })

  it.each([
    undefined,
    {},
    { ...grant, tenant: 'a/b' },
    { ...grant, tenant: '..' },
    { ...grant, runs: '*' },
    { ...grant, runs: ['a*b'] },
    { ...grant, runs: ['a/*'] },
    { ...grant, runs: [1] },
    { ...grant, operations: ['read', 'everything'] },
    { ...grant, subject: '' },
    { ...grant, until: 'tomorrow' },
  ])('is refused when it is none: %j', (value) => {
    expect(() => parseGrant(value)).toThrow(expect.objectContaining({ code: 'input_refused' }))
  })
})
