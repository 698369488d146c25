import type { Channel } from '@waystone/core'

/**
 * A channel that is open while somebody listens: sessions come and go, forks of one use the channel of the other, and none
 * of them knows which is the last. `unused` is called when that has stopped; a later one opens the channel anew. What
 * calls the members of `missed` knows that messages to this page were lost.
 */
export function pageChannel(
  open: () => Channel,
  on: { readonly missed: Set<() => void>; readonly unused: () => void },
): Channel {
  let channel: Channel | undefined
  let listening = 0
  const close = (): void => {
    channel?.close()
    channel = undefined
    on.unused()
  }
  return {
    post(message) {
      const used = channel ?? open()
      used.post(message)
      if (used !== channel) used.close()
    },
    listen(listener) {
      channel ??= open()
      listening += 1
      const stop = channel.listen(listener)
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        stop()
        listening -= 1
        if (listening === 0) close()
      }
    },
    onMissed(listener) {
      on.missed.add(listener)
      return () => on.missed.delete(listener)
    },
    close: () => undefined,
  }
}
