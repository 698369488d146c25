import type { Digest, OwnerId } from '../ids.ts'
import type { EntryKind } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
import type { Software } from '../log/written.ts'
import type { Place } from '../ports/log-store.ts'

/** A position of a log to resume, fork or rewind at, with what was true then. */
export interface Checkpoint {
  readonly seq: number
  readonly digest: Digest
  /** Milliseconds since 1970, by the clock of its owner. */
  readonly time: number
  /** What was saved: the kind of its entry. */
  readonly trigger: EntryKind
  /** True at the end of a turn, or where there is none open: the state is whole. */
  readonly whole: boolean
  readonly turn: number
  /** The version of the state, which is that of the agent that wrote it. */
  readonly version: number
  /** SHA-256 of the agent's configuration. */
  readonly config: Digest
  /** The version of Waystone that wrote it. */
  readonly sdk: string
  /** What it runs in, such as `chromium 156`, `workerd` or `node 24`; undefined where it does not say. */
  readonly host: string | undefined
  /** The versions of dependencies that its application names; none where it does not. */
  readonly versions: Readonly<Record<string, string>>
  readonly owner: OwnerId
  readonly place: Place
  readonly epoch: number
  readonly term: number
  /** The name that `ctx.label` gave it. */
  readonly label: string | undefined
}

type About = Pick<Checkpoint, 'whole' | 'turn' | 'version' | 'config' | 'sdk' | 'host' | 'versions' | 'place'>

/** The checkpoints of entries that follow `before`, or begin a log; oldest first. */
export function checkpointsOf(before: Fold | undefined, entries: readonly Entry[]): readonly Checkpoint[] {
  let about: About | undefined = before && {
    whole: before.records.length === 0,
    turn: before.turn,
    version: before.identity.version,
    config: before.identity.config,
    ...writerOf(before),
  }
  return entries.flatMap((entry): Checkpoint[] => {
    about = after(about, entry)
    if (about === undefined) return []
    const { seq, digest, time, kind, owner, epoch, term } = entry
    const label = entry.kind === 'label' ? entry.body.label : undefined
    return [{ seq, digest, time, trigger: kind, owner, epoch, term, label, ...about }]
  })
}

function after(about: About | undefined, entry: Entry): About | undefined {
  switch (entry.kind) {
    case 'start':
    case 'fork': {
      const { version, config } = entry.body
      const turn = entry.kind === 'fork' ? entry.body.turn : 0
      return {
        whole: entry.kind === 'start' || entry.body.records.length === 0,
        turn,
        version,
        config,
        ...writerOf(entry.body),
      }
    }
    case 'open':
    case 'claim':
      return about && { ...about, ...writerOf(entry.body) }
    case 'turn':
      return about && { ...about, whole: false, config: entry.body.config }
    case 'commit':
      return about && { ...about, whole: true, turn: entry.body.turn + 1 }
    case 'rewind':
      return about && { ...about, whole: entry.body.records.length === 0, turn: entry.body.turn }
    case 'migrate':
      return about && { ...about, version: entry.body.to, config: entry.body.config }
    default:
      return about
  }
}

function writerOf({ sdk, host, versions, place }: Pick<Fold, 'sdk' | 'place'> & Software) {
  return { sdk, host, versions: versions ?? {}, place }
}
