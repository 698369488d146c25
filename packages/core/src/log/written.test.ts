import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { checkVersions, writtenBy } from './written.ts'

const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes)

describe('writtenBy()', () => {
  it('says the host and the versions that the application names', () => {
    const written = writtenBy(zeros, { host: 'node 24', versions: { ai: '7.0.1' } })
    expect(written).toMatchObject({ host: 'node 24', versions: { ai: '7.0.1' } })
  })

  it('says nothing of what is not known, so that no byte is spent on it', () => {
    expect(Object.keys(writtenBy(zeros))).toEqual(['nonce', 'sdk'])
    expect(Object.keys(writtenBy(zeros, { host: undefined, versions: {} }))).toEqual(['nonce', 'sdk'])
  })
})

describe('checkVersions()', () => {
  const named = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`lib-${String(index)}`, '1']))

  it('takes as many and as long ones as the limits say', () => {
    checkVersions(undefined)
    checkVersions({ ...named(limits.versionsMax - 1), ai: 'v'.repeat(limits.versionCharsMax) })
  })

  it.each([
    ['one too many', named(limits.versionsMax + 1)],
    ['a version that is too long', { ai: 'v'.repeat(limits.versionCharsMax + 1) }],
    ['a version that is none', { ai: '' }],
    ['a number', { ai: 7 as unknown as string }],
    ['a number that JSON has no form for', { ai: 7n as unknown as string }],
    ['a name that is none', { '': '1' }],
    ['a name that is too long', { ['n'.repeat(limits.nameCharsMax + 1)]: '1' }],
    ['a list', ['ai 7'] as unknown as Record<string, string>],
    ['null', null as unknown as Record<string, string>],
  ])('refuses %s, and says what to name', (_, versions) => {
    expect(() => checkVersions(versions)).toThrow(
      expect.objectContaining({
        code: 'input_refused',
        message: expect.stringContaining("{ ai: '7.0.1' }") as string,
      }),
    )
  })
})
