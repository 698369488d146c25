import { memoryBlobs, memoryInbox, memoryLogStore, memoryStreams } from '@waystone/core/memory'
import { describe, expect, it } from 'vitest'
import { portCases, runPortCase, type Subjects } from './ports.ts'

const subjects: Subjects = {
  log: async () => memoryLogStore(),
  blobs: async () => memoryBlobs(),
  inbox: async () => memoryInbox(),
  streams: async () => memoryStreams(),
}

describe('memory', () => {
  it.for(portCases)('%s: %s', async ([port, name]) => {
    expect(await runPortCase(subjects, port, name)).toEqual({ name, ok: true })
  })
})
