import { memoryLocks } from '@waystone/core/memory'
import { expect, it } from 'vitest'
import { pageLocks } from './page-locks.ts'

const { signal: never } = new AbortController()
const gaveUp = { code: 'cancelled' }

it('a page that leaves lets go of what it holds and waits for, and takes nothing until it comes back', async () => {
  const locks = memoryLocks()
  const page = pageLocks(locks)
  const other = await locks.acquire('of another page', never)
  const held = await page.acquire('held', never)
  const waiting = page.acquire('of another page', never)
  expect(held.lost?.aborted).toBe(false)
  page.leave()
  expect(held.lost?.aborted).toBe(true)
  await expect(waiting).rejects.toMatchObject(gaveUp)
  await expect(page.acquire('new', never)).rejects.toMatchObject(gaveUp)
  const next = await locks.acquire('held', never)
  // Whoever held it before may say so late: it is another's now.
  held.release()
  const third = new AbortController()
  const thirds = locks.acquire('held', third.signal)
  third.abort()
  await expect(thirds).rejects.toMatchObject(gaveUp)
  next.release()
  other.release()
  page.comeBack()
  for (const name of ['held', 'of another page', 'new']) (await page.acquire(name, never)).release()
})

it('a lock that is given in the moment in which the page leaves is let go', async () => {
  const locks = memoryLocks()
  const page = pageLocks(locks)
  const given = page.acquire('lock', never)
  page.leave()
  await expect(given).rejects.toMatchObject(gaveUp)
  await locks.acquire('lock', never)
})
