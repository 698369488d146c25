import type { Channel } from '@waystone/core'
import type { Dice } from './dice.ts'
import type { Realm, Scheduler } from './scheduler.ts'

/** The channel between the tabs of one device: in order from each, at any speed. */
export function simChannels({ scheduler, dice }: { readonly scheduler: Scheduler; readonly dice: Dice }) {
  const members = new Map<Realm, Set<(message: unknown) => void>>()
  return (realm: Realm): Channel => {
    const mine = new Set<(message: unknown) => void>()
    members.set(realm, mine)
    return {
      post(message) {
        for (const [other, listeners] of members)
          if (other !== realm && other.alive)
            scheduler.inLine(`from ${realm.name}`, dice.between(0.1, 3), 'channel', other, () => {
              for (const listener of listeners) listener(message)
            })
      },
      listen(listener) {
        mine.add(listener)
        return () => mine.delete(listener)
      },
      close() {
        members.delete(realm)
      },
    }
  }
}
