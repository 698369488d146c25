import type { RunId } from '../ids.ts'

const cancelBy = 'cancel by '
const endOf = 'end of '

/** The ids of the items that end a child whose parent is over: always the same, so that what is told again is no second one. */
export const familyIds = {
  /** As the parent tells it at the edge. */
  cancelBy: (parent: RunId): string => cancelBy + parent,
  /** As a device finds it. */
  endOf: (parent: RunId): string => endOf + parent,
} as const

/** True for an id that a family may give. Anybody can guess it: nothing but a cancel may have it. */
export function isFamilyId(id: string): boolean {
  return id.startsWith(cancelBy) || id.startsWith(endOf)
}
