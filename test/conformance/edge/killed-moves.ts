import { parseRunId, type Head, type RunId } from '@waystone/core'
import { objectStorage, type ObjectStorage } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import { entryAfter, headAfter } from '../entries.ts'
import type { Env } from './worker.ts'

const count = 60
const few = { entries: 10, bytes: 10_000_000, objectBytes: 4_000, rangeBytes: 2_000 }
const forget = 25

/** Where an object ends: before or after its nth call of the bucket. */
interface End {
  readonly call: number
  readonly when: 'before' | 'after'
}

/** What is stored of a run. */
interface Stored {
  readonly lines: readonly string[]
  readonly rows: number
  /** Objects that the object knows of. */
  readonly noted: number
  /** Those in the bucket. */
  readonly objects: number
  /** How many bytes a quota counts for them, and how many they have. */
  readonly counted: number
  readonly bytes: number
}

/** An object that ends, with all that it has in memory, in the middle of moving its history. */
export class KilledMoves extends DurableObject<Env> {
  #calls = 0
  #endAt: End | undefined
  readonly #storage: ObjectStorage = objectStorage(this.ctx.storage, this.#bucket())

  async write(run: RunId): Promise<void> {
    let head: Head | undefined
    for (let index = 0; index < count; index += 1) {
      const line = entryAfter(head, `entry ${String(index)} `.repeat(30))
      await this.#storage.store.append(run, { base: head, lines: [line], durability: 'relaxed' })
      head = headAfter(line)
    }
  }

  /** Moves all there is, lets the oldest go, and removes what nothing needs; gives how often the bucket was asked. */
  async move(run: RunId, end?: End): Promise<number> {
    this.#calls = 0
    this.#endAt = end
    const history = this.#storage.history(run, few)
    while (await history.move());
    await this.#storage.store.compact(run, { forget, cold: 0 })
    await history.move()
    return this.#calls
  }

  async look(run: RunId): Promise<Stored> {
    const { sql } = this.ctx.storage
    const number = (query: string): number => sql.exec<{ n: number }>(query).one().n
    const lines: string[] = []
    const first = number('SELECT min(seq) AS n FROM waystone_log')
    for (;;) {
      const page = await this.#storage.store.read(run, first + lines.length)
      if (page.length === 0) break
      lines.push(...page.map((line) => new TextDecoder().decode(line)))
    }
    const { objects } = await this.env.BLOBS.list({ prefix: `runs/${run}/` })
    return {
      counted: this.#storage.history(run, few).bytes(),
      bytes: objects.reduce((sum, { size }) => sum + size, 0),
      lines,
      rows: number('SELECT count(*) AS n FROM waystone_log'),
      // The table is made with the first note.
      noted:
        number("SELECT count(*) AS n FROM sqlite_master WHERE name = 'waystone_history'") &&
        number('SELECT count(*) AS n FROM waystone_history'),
      objects: objects.length,
    }
  }

  #bucket(): R2Bucket {
    const asked = async (work: () => Promise<unknown>): Promise<unknown> => {
      this.#calls += 1
      const ends = this.#calls === this.#endAt?.call ? this.#endAt.when : undefined
      if (ends === 'before') this.ctx.abort('ended by the test')
      const result = await work()
      if (ends === 'after') this.ctx.abort('ended by the test')
      return result
    }
    const bucket = this.env.BLOBS
    return new Proxy(bucket, {
      get:
        (_, name: keyof R2Bucket) =>
        (...args: readonly unknown[]) =>
          asked(() => (bucket[name] as (...given: readonly unknown[]) => Promise<unknown>)(...args)),
    })
  }
}

/** What became of a run whose object ended so, and was asked to move its history again. */
interface Killed extends Stored {
  readonly end: End | undefined
  /** True when the object has ended there. */
  readonly ended: boolean
  /** What was stored right after that. */
  readonly between: Stored
}

/** Moves the history of one run after another: the first as a whole, each other with an end at another call. */
export async function killedMoves({ KILLED }: Env): Promise<readonly Killed[]> {
  const one = async (end?: End): Promise<Killed & { readonly calls: number }> => {
    const run = parseRunId(crypto.randomUUID())
    const object = () => KILLED.get(KILLED.idFromName(run))
    await object().write(run)
    const calls = await object()
      .move(run, end)
      .catch(() => 0)
    const between = await object().look(run)
    await object().move(run)
    return { end, ended: calls === 0, calls, between, ...(await object().look(run)) }
  }
  const whole = await one()
  const killed = [whole]
  for (let call = 1; call <= whole.calls; call += 1)
    for (const when of ['before', 'after'] as const) killed.push(await one({ call, when }))
  return killed
}
