import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import type { OwnerId, RunId } from '../ids.ts'
import type { Head } from '../ports/log-store.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { hastyClock, testClock } from '../runtime/memory-world.test-support.ts'
import { cuttable, open, until, type Notes } from './session.test-support.ts'

const note =
  (text: string) =>
  (draft: Notes): void =>
    void draft.notes.push(text)

/** A device with sessions, its network, which of them the edge was asked for, which it refuses, and of which nothing comes back. */
function world() {
  const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const asked: string[] = []
  const refused = new Set<string>()
  const lost = new Set<string>()
  const pull: typeof edge.remote.pull = async (run, ...rest) => {
    asked.push(run)
    if (refused.has(run)) throw new WaystoneError('forbidden', `session ${run} is not yours`, { run })
    if (lost.has(run)) throw new WaystoneError('unreachable', `nothing answers for ${run}`, { run })
    return edge.remote.pull(run, ...rest)
  }
  const network = cuttable({ ...edge, remote: { ...edge.remote, pull } })
  const storage = memoryStorage()
  const session = (id: string) => open({ id, storage, edge: network.edge, clock: hastyClock })
  const headThere = async (id: string) =>
    (await edge.remote.pull(id as RunId, undefined, 'x' as OwnerId)).head
  return { session, network, asked, refused, lost, headThere, storage }
}

/** Writes sessions that the edge does not get. Their heads. */
async function writeOffline({ session, network }: ReturnType<typeof world>, ids: readonly string[]) {
  network.cut()
  const heads = []
  for (const id of ids) {
    const one = await session(id)
    await one.update(note('offline'))
    heads.push(one.head)
    await one.close()
  }
  network.mend()
  return heads
}

async function noted({ storage }: ReturnType<typeof world>, id: string): Promise<number | undefined> {
  return (await storage.store.list()).find(({ run }) => run === id)?.synced
}

/** The head that the edge has of a session, once it has one. */
async function arrived({ headThere }: ReturnType<typeof world>, id: string): Promise<Head> {
  for (;;) {
    const head = await headThere(id)
    if (head) return head
    await testClock.task()
  }
}

async function tasks(count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await testClock.task()
}

describe('a session that was written without a network, and closed', () => {
  it('is at the edge after another one was opened', async () => {
    const here = world()
    const heads = await writeOffline(here, ['one', 'two'])
    const other = await here.session('other')
    expect([await arrived(here, 'one'), await arrived(here, 'two')]).toEqual(heads)
    while ((await noted(here, 'two')) === undefined) await testClock.task()
    await other.close()
    here.asked.length = 0
    const again = await here.session('other')
    await again.synced()
    await tasks(50)
    expect(new Set(here.asked)).toEqual(new Set(['other']))
  })

  it('is brought once the network is back', async () => {
    const here = world()
    const [head] = await writeOffline(here, ['one'])
    here.network.cut()
    await here.session('other')
    await tasks(50)
    expect(await here.headThere('one')).toBeUndefined()
    here.network.mend()
    expect(await arrived(here, 'one')).toEqual(head)
  })

  it('is brought by another one that is open, when the one that was about to is closed', async () => {
    const here = world()
    const [head] = await writeOffline(here, ['one'])
    here.network.cut()
    const first = await here.session('first')
    await here.session('second')
    await tasks(5)
    await first.close()
    here.network.mend()
    expect(await arrived(here, 'one')).toEqual(head)
  })

  it('is brought again after it was written again', async () => {
    const here = world()
    const first = await here.session('one')
    await first.synced()
    await first.close()
    expect(await noted(here, 'one')).toBe(first.head.seq)
    const [head] = await writeOffline(here, ['one'])
    await here.session('other')
    while ((await here.headThere('one'))?.seq !== head?.seq) await testClock.task()
    expect(await here.headThere('one')).toEqual(head)
  })

  it('is brought by nobody when it has no edge', async () => {
    const here = world()
    const mine = await open({ id: 'mine', storage: here.storage })
    await mine.update(note('for nobody else'))
    await mine.close()
    await writeOffline(here, ['one'])
    await here.session('other')
    while ((await noted(here, 'one')) === undefined) await testClock.task()
    await tasks(50)
    expect(await here.headThere('mine')).toBeUndefined()
    expect(here.asked).not.toContain('mine')
  })

  it('keeps no other one waiting when the edge refuses it', async () => {
    const here = world()
    const [, head] = await writeOffline(here, ['one', 'two'])
    here.refused.add('one')
    await here.session('other')
    expect(await arrived(here, 'two')).toEqual(head)
  })

  it('is brought by a session that is opened after the one that did so was closed', async () => {
    const here = world()
    await writeOffline(here, ['one'])
    here.network.cut()
    const early = await here.session('early')
    const late = await here.session('late')
    await early.close()
    await late.close()
    here.network.mend()
    const last = await here.session('last')
    await arrived(here, 'one')
    await until(() => last.sync.synced !== undefined)
  })

  it('is brought while another session stays open that was there before it', async () => {
    const here = world()
    const main = await here.session('main')
    await main.synced()
    const [head] = await writeOffline(here, ['one'])
    await here.session('third')
    expect(await arrived(here, 'one')).toEqual(head)
  })

  it('keeps no other one waiting when it alone cannot be reached', async () => {
    const here = world()
    const [, head] = await writeOffline(here, ['one', 'two'])
    here.lost.add('one')
    await here.session('other')
    expect(await arrived(here, 'two')).toEqual(head)
    expect(await here.headThere('one')).toBeUndefined()
    here.lost.clear()
    await arrived(here, 'one')
  })

  it('is brought when it had no edge at first', async () => {
    const here = world()
    const plain = await open({ id: 'one', storage: here.storage })
    await plain.update(note('no edge'))
    await plain.close()
    const [head] = await writeOffline(here, ['one'])
    await here.session('other')
    expect(await arrived(here, 'one')).toEqual(head)
  })

  it('is brought by itself alone when it is open here', async () => {
    const here = world()
    const open = [await here.session('one'), await here.session('two')]
    for (const one of open) await one.synced()
    await tasks(50)
    here.asked.length = 0
    await (await here.session('other')).synced()
    await tasks(50)
    expect(new Set(here.asked)).toEqual(new Set(['other']))
  })

  it('is asked for no more when the session that brings it is closed, whenever that is', async () => {
    const here = world()
    await writeOffline(here, ['one'])
    here.network.cut()
    for (let wait = 0; wait < 12; wait += 1) {
      const other = await here.session('other')
      await tasks(wait)
      await other.close()
    }
    await testClock.wait(50)
    here.asked.length = 0
    here.network.mend()
    await testClock.wait(300)
    expect(here.asked).toEqual([])
  })
})
