import { memoryStorage } from '@waystone/core/memory'
import { describe, expect, it } from 'vitest'
import { portCases, runPortCase } from './ports.ts'

describe('memory', () => {
  it.for(portCases)('%s: %s', async ([port, name]) => {
    expect(await runPortCase(async () => memoryStorage(), port, name)).toEqual({ name, ok: true })
  })
})
