import type { Spent } from './budget.ts'
import type { Entry } from './entry.ts'

/** What an entry says that its run has used; undefined for one that says nothing of it. */
export function spentBy(entry: Entry): Spent | undefined {
  switch (entry.kind) {
    case 'step':
    case 'once': {
      const { ms, worked = ms, cost = 0 } = entry.body
      return { steps: 1, ms: worked, cost }
    }
    case 'spawn':
      return { steps: 1, ms: 0, cost: 0 }
    case 'race':
    case 'undo': {
      const { worked = 0, cost = 0 } = entry.body
      return { steps: 0, ms: worked, cost }
    }
    default:
      return undefined
  }
}
