import {
  fromWire,
  keptRelatives,
  toWire,
  type AskRelative,
  type FamilyAnswer,
  type FamilyQuestion,
  type Relative,
  type Relatives,
  type RunId,
} from '@waystone/core'
import type { Realm } from './scheduler.ts'
import { question } from './sim-question.ts'
import type { SimWorld } from './sim-world.ts'

/** An object that another one asks. */
export interface Askable {
  answer(by: RunId, question: FamilyQuestion): Promise<FamilyAnswer>
}

/** The relatives that are stored with an object, as one life of it sees them. */
export function simRelatives(rows: Map<RunId, Relative>, realm: Realm): Relatives {
  return keptRelatives(rows.values(), {
    put: (relative) => void (realm.alive && rows.set(relative.run, relative)),
    remove: (run) => void (realm.alive && rows.delete(run)),
  })
}

/** How a life of the object of run `by` asks others, each of which may die over it. */
export function askRelatives(
  realm: Realm,
  by: RunId,
  { world, object }: { readonly world: SimWorld; readonly object: (run: RunId) => Askable },
): AskRelative {
  const { scheduler, dice, coverage } = world
  return (run, asked) => {
    const what = `ask ${asked.type}`
    coverage.hit('relative', asked.type)
    return question<FamilyAnswer>(realm, scheduler, what, ({ resolve, reject }) => {
      const hear = (end: () => void): void =>
        void scheduler.after(dice.between(1, 20), `${what} answered`, realm, end)
      scheduler.after(dice.between(1, 20), what, undefined, () => {
        object(run)
          .answer(by, asked)
          .then(
            (answer) => hear(() => resolve(answer)),
            (error: unknown) => hear(() => reject(fromWire(toWire(error)))),
          )
      })
    })
  }
}
