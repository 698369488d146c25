import type { RunId } from '@waystone/core'
import type { Realm } from './scheduler.ts'
import type { SimDisk } from './sim-disk.ts'
import type { SimWorld } from './sim-world.ts'

/** What is known outside about one effect. */
interface Effect {
  /** How often its body was started. */
  starts: number
  /** How often it may be: once, and once more for every decision or look that says so. */
  allowed: number
  performed: number
}

/** Where a body runs. */
export interface Where {
  readonly realm: Realm
  /** The disk of its host. */
  readonly disk: SimDisk
  /** Where the start of an effect has to be recorded before it begins: at the edge, when there is one. */
  readonly decides: (run: string) => SimDisk
}

/** What the world may do to a body: anything else that one fails with is a mistake of the simulation. */
class Refusal extends Error {}

/** The world outside: what bodies do there is seen, counted, and never taken back by a crash. */
export class Effects {
  readonly #world: SimWorld
  readonly #effects = new Map<string, Effect>()
  #values = 0

  constructor(world: SimWorld) {
    this.#world = world
  }

  /** The body of a step: it takes a while, fails now and then, and gives its path with a number that no other has. */
  async work(
    where: Where,
    run: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ path: string; value: number }> {
    const { dice } = this.#world
    this.#mustBeNew(where, run, path)
    await this.#while(
      where.realm,
      dice.chance(0.05) ? dice.between(1_000, 40_000) : dice.between(1, 200),
      signal,
    )
    if (dice.chance(0.05)) throw new Refusal('the world said no')
    this.#values += 1
    return { path, value: this.#values }
  }

  /** The body of an effect: a request that may arrive although no answer comes back. */
  async pay(
    where: Where,
    run: string,
    path: string,
    key: string,
    signal: AbortSignal,
  ): Promise<{ path: string; key: string }> {
    const { dice, scheduler } = this.#world
    this.#mustBeRecorded(where, run, path, key)
    const effect = this.#effect(key)
    effect.starts += 1
    this.#world.tell(
      `effect ${path} of ${run} starts in ${where.realm.name} (${String(effect.starts)} of ${String(effect.allowed)})`,
    )
    if (effect.starts > effect.allowed)
      this.#world.fail(
        `effect ${path} of ${run} was started ${String(effect.starts)} times and only ${String(effect.allowed)} are allowed`,
      )
    if (!dice.chance(0.1))
      scheduler.after(dice.between(1, 200), 'effect', undefined, () => {
        effect.performed += 1
        this.#world.coverage.hit('performed', placeOf(where))
      })
    await this.#while(where.realm, dice.between(200, 400), signal)
    if (dice.chance(0.1)) await this.#while(where.realm, 60_000, signal)
    if (effect.performed === 0) throw new Refusal('the request did not arrive')
    return { path, key }
  }

  /** Takes an effect back, which may fail, and may be asked for again until that is recorded. */
  async takeBack(where: Where, run: string, path: string, key: string, signal: AbortSignal): Promise<void> {
    const { dice, coverage } = this.#world
    this.#mustBeGoingBack(where, run, path, key)
    this.#world.tell(`effect ${path} of ${run} is taken back in ${where.realm.name}`)
    coverage.hit('taken back', placeOf(where))
    await this.#while(where.realm, dice.between(1, 400), signal)
    if (dice.chance(0.1)) throw new Refusal('the world said no')
  }

  /** Whether an effect has happened. Finding that it has not allows one more start. */
  look(key: string): boolean {
    const effect = this.#effect(key)
    if (effect.performed === 0) effect.allowed += 1
    return effect.performed > 0
  }

  /** A person has decided that it may be started again. */
  allow(key: string): void {
    this.#effect(key).allowed += 1
  }

  /** A body as a host is given it: that takes whatever it fails with for an answer. */
  async guarded<T>(body: Promise<T>): Promise<T> {
    try {
      return await body
    } catch (error) {
      if (!(error instanceof Refusal)) this.#world.fail(`a body is broken: ${String((error as Error).stack)}`)
      throw error
    }
  }

  #effect(key: string): Effect {
    const effect = this.#effects.get(key) ?? { starts: 0, allowed: 1, performed: 0 }
    this.#effects.set(key, effect)
    return effect
  }

  #while(realm: Realm, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const due = this.#world.scheduler.after(ms, 'body', realm, resolve)
      signal.addEventListener('abort', () => {
        due.cancelled = true
        reject(new Refusal('the body was told to stop'))
      })
    })
  }

  /** No store that the host can see has an outcome of this step in its open turn. */
  #mustBeNew({ disk, realm }: Where, run: string, path: string): void {
    const recorded = disk.mirrors
      .get(run as RunId)
      ?.openTurn()
      .find(
        ({ kind, body }) =>
          kind === 'step' && body['path'] === path && 'value' in (body['outcome'] as object),
      )
    if (recorded)
      this.#world.fail(
        `step ${path} of ${run} runs again in ${realm.name} although entry ${String(recorded.seq)} has its outcome`,
      )
  }

  /** As far as the host can see the run is on its way back, and this effect was not taken back before. */
  #mustBeGoingBack({ disk, realm }: Where, run: string, path: string, key: string): void {
    const entries = disk.mirrors.get(run as RunId)?.entries ?? []
    const starts = entries.filter(({ kind, body }) => kind === 'once.start' && body['key'] === key)
    const undone = entries.find(
      ({ kind, body }) => kind === 'undo' && starts.some(({ digest }) => digest === body['start']),
    )
    const order = entries.findLast(({ kind }) => kind === 'unwind')
    const isOver = order && entries.some(({ seq, kind }) => seq > order.seq && wayBackEnds.has(kind))
    const what = `effect ${path} of ${run} is taken back in ${realm.name}`
    if (undone) this.#world.fail(`${what} although entry ${String(undone.seq)} says that it was`)
    if (order === undefined || isOver) this.#world.fail(`${what}, and the run does not go back`)
  }

  /** The start is recorded where it has to be before the effect may begin. */
  #mustBeRecorded({ decides, realm }: Where, run: string, path: string, key: string): void {
    const mirror = decides(run).mirrors.get(run as RunId)
    const start = mirror?.entries.findLast(({ kind, body }) => kind === 'once.start' && body['key'] === key)
    if (start === undefined)
      this.#world.fail(
        `effect ${path} of ${run} begins in ${realm.name} and ${decides(run).name} has no record of its start`,
      )
  }
}

const wayBackEnds = new Set(['rewind', 'cancel'])

function placeOf({ disk }: Where): 'edge' | 'device' {
  return disk.name === 'edge' ? 'edge' : 'device'
}
