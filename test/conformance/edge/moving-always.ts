import type { RunId } from '@waystone/core'
import type { ObjectStorage } from '@waystone/edge'

/** All but the newest row, a few entries a range; of a long log more at a time. */
const always = { entries: 1, bytes: 1, objectBytes: 1, rangeBytes: 5_000 }
const often = { entries: 1, bytes: 1, objectBytes: 20_000, rangeBytes: 10_000 }
const changesMax = 20
const changesBetween = 50

/** A storage that moves its history into the bucket after whatever has changed it: of a long log now and then. */
export function movingAlways(storage: ObjectStorage): ObjectStorage {
  const { store } = storage
  let changes = 0
  let moving: Promise<void> | undefined
  const move = async (run: RunId): Promise<void> => {
    const history = storage.history(run, changes > changesMax ? often : always)
    while (await history.move());
  }
  const moved = async (run: RunId): Promise<void> => {
    changes += 1
    if (changes > changesMax && changes % changesBetween > 0) return
    // One at a time, as in an object that hosts a run.
    await (moving ??= move(run).finally(() => (moving = undefined)))
  }
  return {
    ...storage,
    store: {
      ...store,
      async append(run, append) {
        const appended = await store.append(run, append)
        await moved(run)
        return appended
      },
      async compact(run, compaction) {
        const isDone = await store.compact(run, compaction)
        await moved(run)
        return isDone
      },
    },
  }
}
