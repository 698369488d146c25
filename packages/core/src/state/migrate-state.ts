import { cloneValue, decodeValue, encodeValue, type Value } from './codec.ts'

/** What brings a state of the version before to the version that it is named by. */
export type Migrations = Readonly<Record<number, (state: never) => unknown>>

/** A state, which stays as it is, brought through every version up to `to`. Throws what `noWay` makes for one without a way to it. */
export function migrateState(
  state: Value,
  { from, to, migrate }: { readonly from: number; readonly to: number; readonly migrate: Migrations },
  noWay: (version: number) => Error,
): Value {
  let migrated: unknown = cloneValue(state)
  for (let version = from + 1; version <= to; version += 1) {
    const step = migrate[version]
    if (step === undefined) throw noWay(version)
    migrated = step(migrated as never)
  }
  // Through its stored form, so that what goes on is what every later load will give.
  return decodeValue(encodeValue(migrated, { where: 'state' }))
}
