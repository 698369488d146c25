import type { RunStorage } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { describe, expect, it } from 'vitest'
import { faultCases, playEveryFault } from './fault-cases.ts'
import type { FaultSide, Stores } from './fault-world.ts'

const inMemory = (): Stores => {
  const sides: Record<FaultSide, RunStorage> = { device: memoryStorage(), edge: memoryStorage() }
  return { open: (side) => sides[side], close: () => Promise.resolve() }
}

describe('in memory, one call after the other goes wrong', () => {
  it.for(faultCases)('$name: $kind at every call of the $side, and all comes right', async (one) => {
    expect(await playEveryFault(one, inMemory)).toBeGreaterThan(5)
  })
})
