import { describe, expect, it } from 'vitest'
import { memoryStorage } from '../memory/memory-storage.ts'
import { testClock } from '../runtime/memory-world.test-support.ts'
import { mortal, open, pairs, type Notes } from './session.test-support.ts'

const retention = { saves: 3 }
const text = (at: number): string => `${String(at)} `.repeat(4_000)

/** What a life of a session acknowledged. */
interface Life {
  readonly saves: number
  readonly puts: number
}

/** Works on a session until its storage answers no more. Resolves with what was acknowledged. */
async function live(storage: ReturnType<typeof memoryStorage>, writes: number): Promise<Life> {
  const dying = mortal(storage, writes)
  let saves = 0
  let puts = 0
  const working = (async () => {
    const session = await open({ storage: dying.storage, retention })
    saves = session.state.count
    puts = Number((await session.get('last')) ?? 0)
    for (;;) {
      await session.update((draft) => {
        draft.count += 1
        draft.notes = [text(draft.count)]
      })
      saves += 1
      const at = puts + 1
      await session.putAll([
        { key: `value ${String(at % 7)}`, value: text(at), like: `value ${String(puts % 7)}` },
        { key: 'last', value: at },
        { key: `value ${String((at + 3) % 7)}`, delete: true },
      ])
      puts = at
      if (saves % 5 === 0) await session.label(`save ${String(saves)}`)
      if (saves % 11 === 0) await (await session.fork({ id: `fork-${String(saves)}` })).close()
      for (let tasks = 0; tasks < 3; tasks += 1) await testClock.task()
    }
  })()
  void working
  while (!dying.isDead()) await testClock.task()
  return { saves, puts }
}

describe('a session whose process is killed', () => {
  it.for([0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 21, 27, 34, 42, 51, 61, 72, 84, 97, 111, 126])(
    'at write %s has all that was acknowledged, nothing half written, and goes on',
    async (writes) => {
      const storage = memoryStorage()
      const first = await live(storage, writes)
      const second = await live(storage, 40)
      expect(second.saves).toBeGreaterThanOrEqual(first.saves)
      expect(second.puts).toBeGreaterThanOrEqual(first.puts)
      const session = await open({ storage, retention })
      const { count, notes } = session.state
      expect(count - second.saves).toBeOneOf([0, 1])
      expect(notes).toEqual(count === 0 ? [] : [text(count)])
      const last = Number((await session.get('last')) ?? 0)
      expect(last - second.puts).toBeOneOf([0, 1])
      // Each life may have been killed between the two.
      expect(last - count).toBeOneOf([0, -1, -2])
      const expected = new Map<string, unknown>(last === 0 ? [] : [['last', last]])
      for (let at = 1; at <= last; at += 1) {
        expected.set(`value ${String(at % 7)}`, text(at))
        expected.delete(`value ${String((at + 3) % 7)}`)
      }
      const records = await pairs(session.range())
      expect(records).toEqual([...expected].sort(([a], [b]) => (a < b ? -1 : 1)))
      await session.update((draft: Notes) => void (draft.count = -1))
      await session.put('value 0', 'goes on', { like: 'last' })
      expect(session.damage).toBeUndefined()
    },
  )
})
