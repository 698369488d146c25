import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { Waker } from './waker.ts'

it('next() leaves nothing with its signal, however often it is woken', async () => {
  const waker = new Waker()
  const { signal } = new AbortController()
  for (let times = 0; times < 3; times += 1) {
    const woken = waker.next(signal)
    expect(getEventListeners(signal as EventTarget & AbortSignal, 'abort')).toHaveLength(1)
    waker.wake()
    await woken
  }
  expect(getEventListeners(signal as EventTarget & AbortSignal, 'abort')).toHaveLength(0)
})

it('next() resolves when its signal fires, or has fired before', async () => {
  const waker = new Waker()
  const stop = new AbortController()
  const waiting = waker.next(stop.signal)
  stop.abort()
  await waiting
  await waker.next(stop.signal)
})
