import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import type { EntryDraft } from './bodies.ts'
import { parseLine } from './entry.ts'

type Draft<Kind extends EntryDraft['kind']> = Extract<EntryDraft, { readonly kind: Kind }>

export const run = 'run' as RunId
export const me = 'laptop' as OwnerId

/** The first entry of a run that begins with this state. */
export const start = (state: Value): Draft<'start'> => ({
  kind: 'start',
  body: {
    agent: 'a',
    version: 1,
    config: 'c'.repeat(64) as Digest,
    input: null,
    place: 'browser',
    whenGone: 'offer',
    leaseMs: 30_000,
    nonce: 'n',
    sdk: '0',
    state: encodeValue(state),
  },
})

/** The end of a turn after which another one comes. */
export const commit = (turn: number, delta: Json = []): Draft<'commit'> => ({
  kind: 'commit',
  body: { turn, rules: 1, version: 1, delta, next: { type: 'next' } },
})

/** The end of a turn that adds its number to the list in the state. */
export const commitListed = (turn: number): Draft<'commit'> =>
  commit(turn, [['splice', ['list'], turn, 0, [turn]]])

/** The sequence number of the first entry that a store has. */
export async function firstIn({ store }: Pick<RunStorage, 'store'>, of = run): Promise<number> {
  return parseLine((await store.read(of, 0))[0] as Uint8Array).seq
}
