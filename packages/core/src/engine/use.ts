import { WaystoneError } from '../errors.ts'
import type { Attempt } from './attempt.ts'
import type { Ctx } from './ctx.ts'

/** `ctx.use`: what this place provides. Touching what is missing throws `need_missing`. */
export function makeUse(attempt: Attempt): Ctx['use'] {
  return new Proxy(
    {},
    {
      get(_, name) {
        if (typeof name !== 'string') return undefined
        if (missingNeed(attempt, [name]) === undefined) return attempt.agent.provided[name]
        throw new WaystoneError(
          'need_missing',
          `"${name}" is not provided here (${attempt.ports.place}): provide it to agent ${attempt.agent.name}, or name it in the step's needs so that the step waits`,
          {
            run: attempt.turn.run,
            details: { need: name, place: attempt.ports.place },
            actions: ['move', 'retry'],
          },
        )
      },
    },
  ) as Ctx['use']
}

/** The first of these needs that this place lacks. */
export function missingNeed(
  attempt: Attempt,
  names: readonly string[],
): { readonly need: string; readonly at?: string } | undefined {
  const { needs, provided } = attempt.agent
  for (const name of names) {
    const at = needs[name]?.at
    const here = (at === undefined || at === attempt.ports.place) && provided[name] !== undefined
    if (!here) return at === undefined ? { need: name } : { need: name, at }
  }
  return undefined
}
