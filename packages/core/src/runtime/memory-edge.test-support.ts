import { WaystoneError } from '../errors.ts'
import { edgeOwner, type OwnerId, type RunId } from '../ids.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { retentionHere } from '../engine/retention-of.ts'
import { RunLog } from '../log/run-log.ts'
import { Snapshotter } from '../log/snapshotter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Remote } from '../ports/remote.ts'
import type { WatchEvent } from '../ports/watch.ts'
import { Authority } from './authority.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryStorage } from '../memory/memory-storage.ts'

interface EdgeRun {
  readonly log: RunLog
  readonly authority: Authority
}

/** An edge within one process: keeps logs and decides about owners, and runs no agents. */
export function memoryEdge(options: {
  readonly clock: Clock
  readonly agents?: readonly AnyAgent[]
  readonly ownerAlive?: () => boolean
  /** It lets go of what the retention of its agents does not ask for. */
  readonly tidies?: boolean
}): Edge {
  const { clock, agents = [], ownerAlive = () => true, tidies = false } = options
  const storage = memoryStorage()
  const { blobs, inbox } = storage
  const runs = new Map<RunId, Promise<EdgeRun>>()
  const followers = new Map<RunId, Set<(event: WatchEvent) => void>>()
  const tell = (run: RunId, event: WatchEvent, except?: (event: WatchEvent) => void): void => {
    for (const follower of followers.get(run) ?? []) if (follower !== except) follower(event)
  }

  const open = (run: RunId): Promise<EdgeRun> => {
    const known = runs.get(run)
    if (known) return known
    const opening = RunLog.open(run, { ...storage, now: () => clock.now() }).then((log) => {
      if (tidies) {
        new Snapshotter(log, {
          me: edgeOwner,
          blobs,
          snapshots: storage.snapshots,
          tails: storage.tails,
          clock,
          mayAppend: () => false,
          retention: (fold) =>
            retentionHere(
              fold,
              agents.find(({ name }) => name === fold.identity.agent),
            ),
          synced: () => Infinity,
        })
      }
      log.listen(({ entries, lines }) => tell(run, { type: 'lines', from: entries[0]?.seq ?? 0, lines }))
      const ports = {
        clock,
        random: (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)),
        blobs,
        inbox,
        agent: (name: string) => agents.find((agent) => agent.name === name),
        stopHost: () => Promise.resolve(),
        ownerAlive,
      }
      return { log, authority: new Authority(log, ports) }
    })
    runs.set(run, opening)
    return opening
  }

  const remote: Remote = {
    push: async (run, append) => (await open(run)).authority.push(append),
    pull: async (run, from, as: OwnerId) => (await open(run)).authority.pull(from, as),
    claim: async (run, claim) => (await open(run)).authority.claim(claim),
    async hold(run, _, from) {
      const { log } = await open(run)
      const { head } = log.mustFold()
      return { head, lines: from === undefined || from > head.seq ? [] : await log.lines(from) }
    },
    blockers: async (run) => (await open(run)).authority.blockers(),
    async send(run, item) {
      const { authority, log } = await open(run)
      if (log.fold === undefined)
        throw new WaystoneError('run_unknown', `the edge has no run ${run}`, { run })
      await authority.send(item)
      tell(run, { type: 'inbox' })
    },
    follow(run, { onEvent, onState }) {
      const mine = followers.get(run) ?? new Set()
      followers.set(run, mine.add(onEvent))
      void Promise.resolve().then(() => onState(true))
      return { tell: (event) => tell(run, event, onEvent), close: () => void mine.delete(onEvent) }
    },
  }
  return { remote, blobs }
}
