import { childStem, endOf, parentOver, type ChildEnd, type Children } from '../engine/run-child.ts'
import { isWaystoneError } from '../errors.ts'
import { isRunId, type RunId } from '../ids.ts'
import type { Entry } from '../log/entry.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import type { Clock } from '../ports/clock.ts'
import { familyIds } from './family-ids.ts'
import type { AskRelative, FamilyAnswer, FamilyQuestion, Relative, Relatives } from './relatives.ts'
import type { DueTime, RunKeeper } from './run-keeper.ts'

/** Relatives that are told at the same time: each may have to be opened, and all share one isolate with others. */
const toldAtOnce = 50

/** Those that are remembered at a time: whoever may write a run may give it any parent. */
const strangersMax = 100

/** Relatives that one alarm tells of a deletion: an invocation may make 1,000 requests (2026). */
const toldOfDeletion = 400

/** What the family of a run works with. */
export interface FamilyPorts {
  readonly relatives: Relatives
  /** When parent or children of the run are to be told something: `tell` is called then, and again should it reject. */
  readonly due: DueTime
  readonly ask: AskRelative
  readonly clock: Pick<Clock, 'now'>
}

/** What the run itself is, where it could be opened. */
type Opened = Pick<RunKeeper, 'log' | 'send' | 'childEnded'>

/**
 * What a run at the edge has to do with its parent and its children, which are kept elsewhere there. What they have to be told
 * is written down together with the entries that say it, with nothing awaited between, and so is when: whatever happens then,
 * they are told. While a run waits for a child it asks it once, and is told.
 */
export class RunFamily {
  readonly children: Children
  readonly #ports: FamilyPorts
  /** Children that are being started: they are told of an end after that. */
  readonly #starting = new Set<Promise<unknown>>()
  readonly #started = new Set<RunId>()
  /** What was untold after the last change, as JSON. */
  #untoldBefore = '[]'
  /** What is known of children that were asked; one that had not ended then tells when it has. */
  readonly #known = new Map<RunId, ChildEnd | 'not yet' | object>()

  constructor(ports: FamilyPorts) {
    this.#ports = ports
    this.children = {
      start: async ({ run, depth, agent, input, isRecorded }) => {
        // What is recorded was started: one that is not here is on a device that has not synced it yet.
        if (isRecorded || this.#started.has(run)) return
        ports.relatives.add(run, 'child')
        const starting = ports.ask(run, { type: 'start', depth, agent, input })
        this.#starting.add(starting)
        await starting.finally(() => this.#starting.delete(starting))
        this.#started.add(run)
      },
      end: (run) => this.#endOf(run),
      cancel: async (run, reason) => {
        const { isKnown } = await ports.ask(run, { type: 'cancel', reason })
        // Its row stays when it is joined: it is told when it comes.
        if (!isKnown) ports.relatives.tell(run, 'cancelled')
      },
    }
  }

  /** Call it with the fold that an append has made, before anything else is awaited; `entries` are those that are new. */
  async changed(fold: Fold, entries: readonly Entry[] = []): Promise<void> {
    for (const entry of entries) {
      if (entry.kind === 'spawn' && entry.body.error === undefined) this.#spawned(entry.body.child)
      if (entry.kind === 'join') this.#joined(entry.body.child)
    }
    if (fold.parent !== undefined) this.#relate(fold.parent, 'parent')
    const { due, clock } = this.#ports
    const untold = JSON.stringify(this.#untold(fold))
    // What waits to be told keeps its time, which is later after each failure.
    const isNews = untold !== this.#untoldBefore
    this.#untoldBefore = untold
    if (untold !== '[]' && (isNews || due.get() === undefined)) await due.set(clock.now())
  }

  /** Tells whoever has to be told something. Rejects when one of them could not be: it is done again. */
  async tell(run: Opened): Promise<void> {
    await Promise.allSettled(this.#starting)
    const fold = run.log.fold
    if (fold === undefined) return
    await this.#tellEach(this.#untold(fold), async ({ run: relative, role, told }) => {
      if (role === 'child') return this.#cancel(relative, parentOver(fold))
      const { over } = await this.#ports.ask(relative, { type: told })
      // It asks no second time once it is written down that it did.
      if (over !== undefined) await this.#cancelBy(run, relative, over)
      this.#ports.relatives.tell(relative, told)
    })
  }

  hasRelatives(): boolean {
    return this.#ports.relatives.all().length > 0
  }

  /**
   * The run is deleted: its children are cancelled, and its parent need not wait. Who was told is forgotten; some are told at a time,
   * until there are no relatives. Rejects when one of them could not be told.
   */
  async deleted(run: RunId): Promise<void> {
    await Promise.allSettled(this.#starting)
    await this.#tellEach(
      this.#ports.relatives.all().slice(0, toldOfDeletion),
      async ({ run: relative, role, told }) => {
        // One that is not here is told when it comes.
        const reason = `its parent, run ${run}, was deleted`
        if (role === 'child') await this.#ports.ask(relative, { type: 'cancel', reason })
        else if (role === 'parent' && told !== 'ended') await this.#ports.ask(relative, { type: 'ended' })
        this.#ports.relatives.remove(relative)
      },
    )
  }

  /** Relatives that cannot be told are not. */
  forget(): void {
    for (const { run } of this.#ports.relatives.all()) this.#ports.relatives.remove(run)
  }

  /** Answers the run `by`. Whoever is no relative learns nothing, and changes nothing. */
  async answer(
    by: RunId,
    question: Exclude<FamilyQuestion, { type: 'start' }>,
    run: Opened,
  ): Promise<FamilyAnswer> {
    const { fold } = run.log
    if (fold === undefined) return { isKnown: false }
    switch (question.type) {
      case 'end': {
        if (fold.parent !== by || isSealed(fold)) return { isKnown: true, end: 'elsewhere' }
        const end = endOf(fold)
        return { isKnown: true, ...(end ? { end } : {}) }
      }
      case 'cancel':
        if (fold.parent === by) await this.#cancelBy(run, by, question.reason)
        return { isKnown: true }
      case 'came':
        if (!this.#isChild(by)) {
          this.#remember(by)
          return { isKnown: true }
        }
        // A later attempt at a child that is known.
        this.#ports.relatives.add(by, 'child')
        return { isKnown: true, ...this.#overFor(by, fold) }
      case 'ended':
        if (!this.#isChild(by)) {
          if (this.#ports.relatives.get(by)?.role === 'stranger') this.#ports.relatives.remove(by)
          return { isKnown: true }
        }
        this.#known.delete(by)
        if (this.#isGivenUp(by)) this.#ports.relatives.remove(by)
        await run.childEnded(by)
        return { isKnown: true }
    }
  }

  async #endOf(run: RunId): Promise<ChildEnd | 'elsewhere' | undefined> {
    const known = this.#known.get(run)
    if (known === 'not yet') return undefined
    if (known && 'status' in known) return known
    // Told meanwhile it is asked again.
    const asked = {}
    this.#known.set(run, asked)
    const { end } = await this.#ports.ask(run, { type: 'end' })
    const isCurrent = this.#known.get(run) === asked
    // It is heard by its row.
    if (end === undefined) this.#ports.relatives.add(run, 'child')
    if (end === undefined && isCurrent) this.#known.set(run, 'not yet')
    else if (end === undefined || end === 'elsewhere' || end.status === 'done') this.#known.delete(run)
    else this.#known.set(run, end)
    return end
  }

  /** A child that was started, and later attempts at it that were here before their parent said so. */
  #spawned(child: RunId): void {
    this.#relate(child, 'child')
    for (const { run } of this.#attempts(child, 'stranger')) {
      this.#ports.relatives.remove(run)
      this.#ports.relatives.add(run, 'child')
    }
  }

  /** A later attempt is recorded nowhere: should its parent be about to say that it has such a child, it is known by its name. */
  #remember(run: RunId): void {
    const strangers = this.#ports.relatives.all().filter(({ role }) => role === 'stranger')
    const isLater = !run.endsWith('-1')
    if (isLater && strangers.length < strangersMax) this.#relate(run, 'stranger')
  }

  /** Devices name relatives: whoever has a name that no run can have is none. */
  #relate(run: RunId, role: Relative['role']): void {
    if (isRunId(run)) this.#ports.relatives.add(run, role)
  }

  /** Why a child is over that has come only now. */
  #overFor(child: RunId, fold: Fold): { readonly over?: string } {
    if (isEnded(fold)) return { over: parentOver(fold) }
    return this.#isGivenUp(child) ? { over: `its parent, run ${fold.run}, waits for it no more` } : {}
  }

  /** True for a child that was cancelled before it was here. */
  #isGivenUp(child: RunId): boolean {
    return this.#ports.relatives.get(child)?.told === 'cancelled'
  }

  /** Its later attempts have names that differ in their number only. */
  #joined(child: RunId): void {
    for (const { run } of this.#attempts(child, 'child')) {
      if (this.#isGivenUp(run)) continue
      this.#ports.relatives.remove(run)
      this.#known.delete(run)
    }
  }

  #isChild(run: RunId): boolean {
    return this.#attempts(run, 'child').length > 0
  }

  /** The attempts at a child that have this role. */
  #attempts(child: RunId, as: Relative['role']): readonly Relative[] {
    const stem = childStem(child)
    return this.#ports.relatives.all().filter(({ run, role }) => role === as && childStem(run) === stem)
  }

  /** Who is to be told what, now that the run is what it is. */
  #untold(fold: Fold): readonly Telling[] {
    const isOver = isEnded(fold)
    return this.#ports.relatives.all().flatMap(({ run, role, told }): readonly Telling[] => {
      if (role === 'stranger') return []
      if (role === 'child') return isOver && told === '' ? [{ run, role, told: 'cancelled' }] : []
      // One that was started here was started by its parent.
      const news = isOver ? 'ended' : fold.identity.place === 'edge' ? '' : 'came'
      return news === '' || news === told ? [] : [{ run, role, told: news }]
    })
  }

  /** One that is not here yet is told when it comes. */
  async #cancel(child: RunId, reason: string): Promise<void> {
    const { isKnown } = await this.#ports.ask(child, { type: 'cancel', reason })
    if (isKnown) this.#ports.relatives.remove(child)
    else this.#ports.relatives.tell(child, 'cancelled')
  }

  /** Puts a cancel of a parent into the inbox of its child, which may have ended. */
  async #cancelBy(run: Opened, parent: RunId, reason: string): Promise<void> {
    if (isEnded(run.log.mustFold())) return
    const time = this.#ports.clock.now()
    const item = { type: 'cancel', id: familyIds.cancelBy(parent), by: parent, time, reason } as const
    try {
      await run.send(item)
    } catch (error) {
      if (!isWaystoneError(error, 'run_ended')) throw error
    }
  }

  /** One that cannot be told holds up no other. */
  async #tellEach<T>(all: readonly T[], tell: (one: T) => Promise<void>): Promise<void> {
    const failures: unknown[] = []
    for (let at = 0; at < all.length; at += toldAtOnce) {
      for (const told of await Promise.allSettled(all.slice(at, at + toldAtOnce).map(tell)))
        if (told.status === 'rejected') failures.push(told.reason)
    }
    if (failures.length > 0)
      throw new AggregateError(failures, `${String(failures.length)} relatives of a run were not told`)
  }
}

/** What a relative is to be told. */
type Telling =
  | { readonly run: RunId; readonly role: 'parent'; readonly told: 'came' | 'ended' }
  | { readonly run: RunId; readonly role: 'child'; readonly told: 'cancelled' }
