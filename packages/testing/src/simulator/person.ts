import {
  childStem,
  edgeOwner,
  WaystoneError,
  type Decision,
  type Digest,
  type Head,
  type InboxContent,
  type RunId,
  type Runtime,
} from '@waystone/core'
import type { Effects } from './effects.ts'
import type { LogMirror, Seen } from './log-mirror.ts'
import type { SimDevice } from './sim-device.ts'
import type { SimWorld } from './sim-world.ts'

/** What people see and can reach. */
export interface PersonPorts {
  readonly world: SimWorld
  readonly effects: Effects
  readonly devices: () => readonly SimDevice[]
  /** The log of each run as whoever decides about it has it. */
  readonly runs: () => readonly LogMirror[]
  readonly hasEdge: boolean
  /** They move runs whenever they look, mostly to the device that they hold. */
  readonly isRestless: boolean
  /** They often take back what a run has done. */
  readonly isRegretful: boolean
  /** What the edge was lent to go on with may lapse there: they take such a run back. */
  readonly lends: boolean
  /** Runs have children, and none waits for a message: one that stands still has not been told of what it waits for. */
  readonly hasChildren: boolean
}

/** A message that somebody has sent from a device. */
export interface Note {
  readonly id: string
  readonly run: RunId
  readonly device: SimDevice
  /** Where it stands among all sendings and acknowledgements. */
  readonly sent: number
  acknowledged?: number
}

const ended = new Set(['done', 'fail'])
/** Why effects cannot be taken back, however often that is tried. */
const neverUndone = new Set(['divergence', 'checkpoint_gone'])
/** How long people wait for a run that does not move before they do something about it, longer each time, in ms. */
const patience = { from: 5_000, to: 300_000 } as const
/** What adds nothing to a run. */
const afterEnd = new Set(['open', 'claim', 'snapshot'])

/** True for a log whose run will do nothing more. */
export function isOver({ entries }: LogMirror): boolean {
  const last = entries.findLast(({ kind }) => !afterEnd.has(kind))
  if (last?.kind === 'cancel') return true
  const commit = entries.findLast(({ kind }) => kind === 'commit' || kind === 'rewind')
  return commit?.kind === 'commit' && ended.has((commit.body['next'] as { readonly type: string }).type)
}

/** The people around the runs: they answer, decide, send, move, and press buttons at bad moments. */
export class Person {
  readonly #ports: PersonPorts
  readonly #stuck = new Map<RunId, { seq: number; since: number; patienceMs: number }>()
  /** All that were sent, in their order. */
  readonly notes: Note[] = []
  #moments = 0
  #forks = 0

  constructor(ports: PersonPorts) {
    this.#ports = ports
  }

  /** Looks at every run and does something about it. `calm`: only what they need to come to an end. */
  look(calm: boolean): void {
    const { dice } = this.#ports.world
    for (const mirror of this.#ports.runs()) {
      if (mirror.head === undefined || isOver(mirror)) continue
      this.#answer(mirror)
      const pause = pauseOf(mirror)
      if (pause) this.#goOn(mirror, pause, calm)
      const isStuck = this.#isStuck(mirror)
      // Nobody but people ends the fork of a child that waits for ever, or tells that of a parent of the children.
      const isFork = mirror.entries[0]?.kind === 'fork'
      const isWanting = isStuck && (isFork || !this.#ports.hasChildren)
      if (isWanting || (!calm && dice.chance(0.4))) this.#note(mirror.run, calm)
      if (isStuck) this.#help(mirror, isFork, calm)
      if (!calm) this.#meddle(mirror)
    }
  }

  /** What people do about a run that stands still and would stay so. */
  #help(mirror: LogMirror, isFork: boolean, calm: boolean): void {
    const { run, head } = mirror
    const { lends, hasChildren } = this.#ports
    if ((lends || (hasChildren && isFork)) && head?.owner === edgeOwner)
      this.#do('take back', (runtime) => runtime.move(run, 'here', { drainMs: 500, force: true }))
    if (!calm) return
    // The profile of its owner may be an old one, in which nobody has heard of it.
    if (hasChildren) this.#do('open', (runtime) => runtime.watch(run, () => undefined))
    if (this.#isForgotten(mirror)) this.#send(run, { type: 'cancel', reason: 'its parent has forgotten it' })
  }

  /** True for a child of whose start nobody knows but itself: its parent was in an old profile, and has gone another way since. */
  #isForgotten({ run, entries }: LogMirror): boolean {
    const parent = entries[0]?.body['parent']
    const known = this.#ports.runs().find((one) => one.run === parent)?.entries ?? []
    const stem = childStem(run)
    const isNamed = known.some(
      ({ kind, body }) => kind === 'spawn' && childStem(body['child'] as RunId) === stem,
    )
    return parent !== undefined && !isNamed
  }

  /** Moves a run: the verb that most can go wrong with. */
  move(run: RunId): void {
    const { dice } = this.#ports.world
    if (!this.#ports.hasEdge) return
    const isRestless = this.#ports.isRestless
    const to = dice.chance(isRestless ? 0.2 : 0.5) ? 'edge' : 'here'
    this.#do(`move ${to}`, (runtime) =>
      runtime.move(run, to, {
        drainMs: 500,
        force: to === 'here' && dice.chance(isRestless ? 0.03 : 0.3),
      }),
    )
  }

  #answer(mirror: LogMirror): void {
    const { run } = mirror
    const turn = mirror.openTurn()
    const answered = new Set(turn.flatMap(({ kind, body }) => (kind === 'answer' ? [body['ask']] : [])))
    for (const { kind, digest } of turn)
      if (kind === 'ask' && !answered.has(digest) && this.#ports.world.dice.chance(0.6))
        this.#send(run, { type: 'answer', ask: digest, value: `answer to ${digest}` })
  }

  #goOn(mirror: LogMirror, pause: Seen, calm: boolean): void {
    const { run } = mirror
    const { world, effects } = this.#ports
    const { dice } = world
    if (!calm && dice.chance(0.5)) return
    const error = (pause.body['error'] ?? {}) as {
      readonly code?: string
      readonly path?: string
      readonly details?: { readonly start?: Digest; readonly key?: string }
    }
    const { start, key } = error.details ?? {}
    const { reason } = pause.body
    if (reason === 'divergence' && dice.chance(0.5)) return this.#goBack(mirror)
    // The code of a turn that is over is another one by now, or its entries are gone: then nothing can be taken back.
    if (calm && reason === 'error' && neverUndone.has(error.code ?? ''))
      return this.#send(run, { type: 'cancel', reason: 'as it is' })
    if (reason !== 'outcome' || start === undefined || key === undefined)
      return this.#send(run, { type: 'retry' })
    const decision = dice.pick<Decision>([
      { type: 'again' },
      { type: 'again' },
      { type: 'failed', message: 'it failed' },
      { type: 'done', value: { path: String(error.path), key } },
    ])
    if (decision?.type === 'again') effects.allow(key)
    if (decision) this.#send(run, { type: 'decide', start, decision })
  }

  /**
   * The open turn was begun by other code. A fork may have brought its records along, or what leads back be damaged: there is
   * nothing to go back to.
   */
  #goBack(mirror: LogMirror): void {
    const { run, turnBegan, entries } = mirror
    const isRefused = entries.some(({ kind, body }) => kind === 'refuse' && body['type'] === 'rewind')
    if (isRefused || mirror.at(turnBegan)?.kind === 'fork')
      this.#send(run, { type: 'cancel', reason: 'of other code' })
    else this.#send(run, { type: 'rewind', seq: turnBegan })
  }

  /** Sends a note; in wild times another one after it, perhaps, as soon as the first was taken, or the run was moved. */
  #note(run: RunId, calm: boolean): void {
    const { dice } = this.#ports.world
    this.#do('notes', async (runtime, device) => {
      for (let again = true; again; again = !calm && dice.chance(0.6)) {
        const id = `note-${String(this.notes.length + 1)}`
        const note: Note = { id, run, device, sent: this.#moment() }
        this.notes.push(note)
        await runtime.send(run, { type: 'message', name: 'note', value: id }, { id })
        note.acknowledged = this.#moment()
        this.#ports.world.tell(`${device.name} has sent ${id} to ${run}`)
        // There, or here, or there and back.
        while (!calm && this.#ports.hasEdge && dice.chance(0.4)) {
          const to = dice.chance(0.5) ? 'edge' : 'here'
          await runtime.move(run, to, { drainMs: 500 }).catch(() => undefined)
        }
      }
    })
  }

  #moment(): number {
    this.#moments += 1
    return this.#moments
  }

  #meddle(mirror: LogMirror): void {
    const { dice } = this.#ports.world
    const { run } = mirror
    if (dice.chance(this.#ports.isRestless ? 0.7 : 0.15)) this.move(run)
    if (dice.chance(0.03)) this.#send(run, { type: 'interrupt' })
    if (dice.chance(0.03)) {
      const commits = mirror.effective().filter(({ kind }) => kind === 'commit' || kind === 'step')
      const to = dice.pick(commits)
      if (to) this.#send(run, { type: 'rewind', seq: to.seq })
    }
    if (dice.chance(0.02) && this.#forks < 2) {
      this.#forks += 1
      const id = `fork-${String(this.#forks)}`
      this.#do(`fork ${id}`, (runtime) => runtime.fork(run, { seq: (mirror.head as Head).seq, id }))
    }
    if (this.#ports.isRegretful) this.#regret(mirror)
    if (dice.chance(0.005)) this.#send(run, { type: 'cancel', reason: 'a person said so' })
  }

  #regret({ run, entries }: LogMirror): void {
    const { dice } = this.#ports.world
    const done = entries.filter(({ kind }) => kind === 'once').length
    if (done > 0 && dice.chance(0.4)) {
      const to = dice.pick(
        entries.filter(({ kind }) => kind === 'start' || kind === 'commit' || kind === 'once'),
      )
      if (to) this.#send(run, { type: 'rewind', seq: to.seq, undo: true })
    }
    if (done > 1 && dice.chance(0.05))
      this.#send(run, { type: 'cancel', reason: 'a person regrets it', undo: true })
  }

  /** True now and then for a run that does not move: it may wait for a message. */
  #isStuck({ run, head }: LogMirror): boolean {
    const { now } = this.#ports.world.scheduler
    const seq = head?.seq ?? -1
    const before = this.#stuck.get(run)
    if (before?.seq !== seq) this.#stuck.set(run, { seq, since: now, patienceMs: patience.from })
    if (before?.seq !== seq || now - before.since < before.patienceMs) return false
    before.since = now
    before.patienceMs = Math.min(before.patienceMs * 2, patience.to)
    return true
  }

  #send(run: RunId, content: InboxContent): void {
    this.#do(content.type, (runtime) => runtime.send(run, content))
  }

  /** Does something in one of the tabs. It may be refused, or its tab may die over it. */
  #do(what: string, work: (runtime: Runtime, device: SimDevice) => Promise<unknown>): void {
    const { world, devices } = this.#ports
    const open = devices().flatMap((device) => [...device.tabs].map((tab) => ({ tab, device })))
    const chosen = world.dice.pick(open.filter(({ tab }) => !tab.realm.frozen))
    if (chosen === undefined) return
    const { tab, device } = chosen
    world.tell(`a person: ${what} in ${tab.realm.name}`)
    const doing = tab.runtime.then((runtime) => work(runtime, device))
    doing.catch((error: unknown) => {
      const isOurs = !(error instanceof WaystoneError) || error.code === 'bug'
      if (isOurs)
        world.fail(
          `${what} in ${tab.realm.name} failed: ${String(error instanceof Error ? error.stack : error)}`,
        )
    })
  }
}

/** The entry that has paused a run, unless it went on. */
function pauseOf({ entries }: LogMirror): Seen | undefined {
  const last = entries.findLast(({ kind }) => !still.has(kind))
  if (last) return last.kind === 'pause' ? last : undefined
  // Of a log that begins later its snapshot tells.
  const snapshot = entries.find(({ kind }) => kind === 'snapshot')
  const { pause } = (snapshot?.body['fold'] ?? {}) as { readonly pause?: Seen['body'] }
  return snapshot && pause && { ...snapshot, body: pause }
}

/** Entries that leave a pause as it is. */
const still = new Set(['open', 'claim', 'refuse', 'snapshot', 'label'])
