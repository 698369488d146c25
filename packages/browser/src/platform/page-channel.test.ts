import type { Channel } from '@waystone/core'
import { memoryChannels } from '@waystone/core/memory'
import { expect, it } from 'vitest'
import { pageChannel } from './page-channel.ts'

/** A channel of a page whose ends are counted, and what another page hears of it. */
function world() {
  const hub = memoryChannels()
  const heard: unknown[] = []
  hub().listen((message) => heard.push(message))
  const count = { open: 0, unused: 0 }
  const open = (): Channel => {
    count.open += 1
    const channel = hub()
    const close = (): void => {
      count.open -= 1
      channel.close()
    }
    return { ...channel, close }
  }
  const missed = new Set<() => void>()
  const channel = pageChannel(open, { missed, unused: () => (count.unused += 1) })
  return { channel, missed, heard, count, other: hub() }
}

it('is open as long as somebody listens, and again when somebody comes later', async () => {
  const { channel, heard, count, other } = world()
  const words: unknown[] = []
  const stop = channel.listen((word) => words.push(word))
  const stopFork = channel.listen((word) => words.push(word))
  stop()
  stop()
  other.post('one')
  await Promise.resolve()
  expect(words).toEqual(['one'])
  expect(count).toEqual({ open: 1, unused: 0 })
  stopFork()
  expect(count).toEqual({ open: 0, unused: 1 })
  channel.listen((word) => words.push(word))
  other.post('two')
  channel.post('three')
  await Promise.resolve()
  expect(words).toEqual(['one', 'two'])
  expect(heard).toEqual(['one', 'two', 'three'])
})

it('carries what is posted while nobody listens, and is closed after it', async () => {
  const { channel, heard, count } = world()
  channel.post('last words')
  await Promise.resolve()
  expect(heard).toEqual(['last words'])
  expect(count.open).toBe(0)
})

it('tells that messages were missed to those who want to hear it', () => {
  const { channel, missed } = world()
  let times = 0
  const stop = channel.onMissed?.(() => (times += 1))
  for (const look of missed) look()
  stop?.()
  for (const look of missed) look()
  expect(times).toBe(1)
})
