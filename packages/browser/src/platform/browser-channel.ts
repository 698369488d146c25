import type { Channel } from '@waystone/core'

/** A BroadcastChannel: reaches the hosts of this origin with the same name, never the sender itself. */
export function browserChannel(name: string): Channel {
  const channel = new BroadcastChannel(`waystone-${name}`)
  return {
    post: (message) => channel.postMessage(message),
    listen(listener) {
      const hear = ({ data }: MessageEvent<unknown>): void => listener(data)
      channel.addEventListener('message', hear)
      return () => channel.removeEventListener('message', hear)
    },
    close: () => channel.close(),
  }
}
