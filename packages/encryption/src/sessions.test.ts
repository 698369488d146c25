import { memoryStorage } from '@waystone/core/memory'
import { openSession } from '@waystone/core/session'
import { expect, it } from 'vitest'
import { userCipher } from './cipher.ts'
import { clock, random } from './encryption.test-support.ts'

it('an encrypted session lists its checkpoints with their labels', async () => {
  const cipher = userCipher([{ id: 'ana', key: new Uint8Array(32).fill(7) }])
  const session = await openSession({
    ...{ storage: memoryStorage(), id: 'notes', me: 'laptop', clock, random, cipher },
    initial: { pages: 0 },
  })
  await session.update((draft) => void (draft.pages += 1))
  await session.label('Kilimanjaro')
  expect((await session.list()).map(({ trigger, label }) => [trigger, label])).toEqual([
    ['label', 'Kilimanjaro'],
    ['commit', undefined],
    ['start', undefined],
  ])
  await session.close()
})
