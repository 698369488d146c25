import type { ChildEnd } from '../engine/run-child.ts'
import type { RunId } from '../ids.ts'
import type { Json } from '../json.ts'

/** Another run that a run at the edge has to do with. */
export interface Relative {
  readonly run: RunId
  /** A child is one that was started and not joined; a stranger says that it is one, of which the run has not said so yet. */
  readonly role: 'parent' | 'child' | 'stranger'
  /** What it was told last; empty for nothing. */
  readonly told: string
}

/** The parent and the children of a run, as far as they may have to be told something. Stored with the run's log. */
export interface Relatives {
  all(): readonly Relative[]
  get(run: RunId): Relative | undefined
  /** One that is there stays as it is. */
  add(run: RunId, role: Relative['role']): void
  tell(run: RunId, told: string): void
  remove(run: RunId): void
}

/** Relatives as they were stored; each change is made here, and is then to be stored. */
export function keptRelatives(
  stored: Iterable<Relative>,
  { put, remove }: { readonly put: (relative: Relative) => void; readonly remove: (run: RunId) => void },
): Relatives {
  const rows = new Map(Array.from(stored, (relative) => [relative.run, relative]))
  const set = (relative: Relative): void => {
    rows.set(relative.run, relative)
    put(relative)
  }
  return {
    all: () => [...rows.values()],
    get: (run) => rows.get(run),
    add(run, role) {
      if (!rows.has(run)) set({ run, role, told: '' })
    },
    tell(run, told) {
      const relative = rows.get(run)
      if (relative && relative.told !== told) set({ ...relative, told })
    },
    remove(run) {
      if (rows.delete(run)) remove(run)
    },
  }
}

/** What a run asks its parent or a child, or tells them. */
export type FamilyQuestion =
  | { readonly type: 'start'; readonly depth: number; readonly agent: string; readonly input: Json }
  | { readonly type: 'end' }
  | { readonly type: 'cancel'; readonly reason: string }
  /** A child that a device has started is here for the first time. */
  | { readonly type: 'came' }
  | { readonly type: 'ended' }

/** `end`: how it ended. `over`: why the child that asks is over. */
export interface FamilyAnswer {
  readonly isKnown: boolean
  readonly end?: ChildEnd | 'elsewhere'
  readonly over?: string
}

/** Asks another run at the edge. Rejects with what it answers, and with `unreachable` when it does not. */
export type AskRelative = (run: RunId, question: FamilyQuestion) => Promise<FamilyAnswer>
