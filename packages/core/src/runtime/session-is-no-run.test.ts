import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import type { OwnerId, RunId } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { listed, open, until } from '../session/session.test-support.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const greeter = defineAgent({
  name: 'greeter',
  version: 1,
  initial: () => ({ greeted: false }),
  async turn() {
    return done('hello')
  },
})

const notes = 'notes' as RunId
const isNoRun = { code: 'input_refused', message: expect.stringContaining('openSession') as string }

async function kindsIn(storage: RunStorage): Promise<readonly string[]> {
  const lines = await storage.store.read(notes, 0)
  return lines.map((line) => (JSON.parse(new TextDecoder().decode(line)) as { kind: string }).kind)
}

it('runs and sessions of one storage keep apart: who runs agents neither lists, opens nor writes a session', async () => {
  const storage = memoryStorage()
  const session = await open({ storage })
  await session.update((draft) => void draft.notes.push('mine'))
  const device = testDevice([greeter], { storage })
  const runtime = await device.open()
  const run = await runtime.start('greeter', null)
  expect((await runtime.runs()).map((one) => one.run)).toEqual([run])
  await expect(handleOf(runtime, notes)).rejects.toMatchObject(isNoRun)
  await expect(runtime.start('greeter', null, { id: notes })).rejects.toMatchObject(isNoRun)
  await expect(runtime.fork(notes, { seq: 0 })).rejects.toMatchObject(isNoRun)
  await expect(runtime.send(notes, { type: 'retry' })).rejects.toMatchObject(isNoRun)
  const exported = await listed(session.export().lines())
  await expect(runtime.importRun('again' as RunId, exported)).rejects.toMatchObject(isNoRun)
  expect(await storage.store.head('again' as RunId)).toBeUndefined()
  expect(await kindsIn(storage)).toEqual(['start', 'commit'])
  await runtime.close()
})

it('a session that only the edge knew is left to its writers, once it is known to be one', async () => {
  const edge: Edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const elsewhere = await open({ edge, me: 'phone' as OwnerId })
  await elsewhere.update((draft) => void draft.notes.push('theirs'))
  await elsewhere.synced()
  const storage = memoryStorage()
  const device = testDevice([greeter], { storage, edge })
  const runtime = await device.open()
  const handle = await handleOf(runtime, notes)
  await handle.until(({ head }) => head.seq === 1)
  await expect(handle.send('news', 'to nobody')).rejects.toMatchObject(isNoRun)
  const session = await open({ storage, edge, channel: device.channels() })
  await session.update((draft) => void draft.notes.push('mine'))
  await until(() => session.role === 'writer')
  await session.synced()
  await elsewhere.refresh()
  expect(elsewhere.state.notes).toEqual(['theirs', 'mine'])
  expect(await kindsIn(storage)).toEqual(['start', 'commit', 'claim', 'commit'])
  await runtime.close()
})
