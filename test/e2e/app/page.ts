import { openWaystone, type Waystone, type WaystoneOptions } from '@waystone/browser'
import { toWire, type AnyAgent, type MoveTarget, type RunHandle, type RunView } from '@waystone/core'
import { agents, pageOnly } from './agents.ts'
import { encryptionFor } from './encryption-for.ts'

/** What tests call in the page, by expressions. */
class Rig {
  readonly #way: Promise<Waystone>
  readonly #runs = new Map<string, Promise<RunHandle>>()

  /** How the storage was, from the beginning on. */
  readonly storage: { readonly state: string; readonly code?: string; readonly actions?: unknown }[] = []
  /** What was said with the newest of them. */
  storageMessage = ''

  constructor() {
    const query = new URLSearchParams(window.rigQuery ?? location.search)
    const edge = query.get('edge')
    // A frame without an origin of its own can start no worker.
    const host = query.has('inPage')
      ? { agents }
      : { worker: () => new Worker(`/agent.worker.js${location.search}`, { type: 'module' }) }
    const encryption = encryptionFor(query)
    this.#way = openWaystone({
      ...host,
      versions: { page: '1.2.3' },
      ...(query.has('sync') ? { sync: { every: 1_000, interval: '1h' } } : {}),
      ...(encryption ? { encryption } : {}),
      ...(edge === null ? {} : { edge: { url: edge, token: () => query.get('token') ?? '' } }),
    })
    this.#way
      .then((way) =>
        way.onStorage((now) => {
          const error = now.state === 'kept' ? {} : { code: now.error.code, actions: now.error.actions ?? [] }
          this.storage.push({ state: now.state, ...error })
          this.storageMessage = now.state === 'kept' ? '' : now.error.message
        }),
      )
      .catch(() => undefined)
  }

  /** What encrypts in a page that was not told to. */
  readonly encryption = encryptionFor(new URLSearchParams('encryption=end-to-end'))

  /** Opens another Waystone beside this one's. */
  openOther(options: WaystoneOptions): Promise<Waystone> {
    return openWaystone(options)
  }

  /** Whether Waystone could be opened. */
  opened(): ReturnType<Rig['tried']> {
    return this.tried(() => this.#way)
  }

  async device(): Promise<string> {
    return (await this.#way).device
  }

  async start(name: string, input: unknown, options: object = {}): Promise<string> {
    const agent = [...agents, pageOnly].find((one) => one.name === name) as AnyAgent
    return (await (await this.#way).start(agent, input as never, options)).id
  }

  run(id: string): Promise<RunHandle> {
    const known = this.#runs.get(id)
    if (known) return known
    const opening = this.#way.then((way) => way.open(id) as Promise<RunHandle>)
    this.#runs.set(id, opening)
    opening.catch(() => this.#runs.delete(id))
    return opening
  }

  /** A view without what JSON cannot carry; undefined before the run is here. */
  async view(id: string): Promise<RunView | undefined> {
    return (await this.run(id)).view()
  }

  async entries(id: string): Promise<unknown> {
    const run = await this.run(id)
    while (await run.loadEarlier());
    return run
      .entries()
      .map(({ seq, kind, owner, epoch, term, time, body }) => ({ seq, kind, owner, epoch, term, time, body }))
  }

  /** Carries out something and tells its error as data. */
  async tried(work: () => Promise<unknown>): Promise<{ ok: boolean; code?: string; message?: string }> {
    try {
      await work()
      return { ok: true }
    } catch (error) {
      const { code, message } = toWire(error)
      return { ok: false, code, message }
    }
  }

  /** What runs in here said of themselves, by the kind of entry. */
  async software(id: string): Promise<unknown> {
    const run = await this.run(id)
    while (await run.loadEarlier());
    return run.checkpoints().map(({ trigger, host, versions }) => ({ trigger, host, versions }))
  }

  async blockers(id: string, to: MoveTarget): Promise<readonly string[]> {
    return (await this.run(id)).blockers(to)
  }

  move(id: string, to: MoveTarget, options: object = {}): ReturnType<Rig['tried']> {
    return this.tried(async () => (await this.run(id)).move(to, options))
  }

  answer(id: string, value: unknown, by?: string): ReturnType<Rig['tried']> {
    return this.tried(async () => {
      const run = await this.run(id)
      await run.answer(run.view()?.asks[0]?.ask ?? '0'.repeat(64), value, by === undefined ? {} : { by })
    })
  }

  /** Makes a link to a run at the edge; its token and id. */
  async link(id: string, use: 'read' | 'answer'): Promise<{ readonly id: string; readonly token: string }> {
    return (await this.#way).links(id).make(use)
  }

  async setAside(id: string): Promise<unknown> {
    const tails = await (await this.run(id)).setAside()
    return tails.map(({ lines, ...rest }) => ({
      ...rest,
      lines: lines.map((line) => new TextDecoder().decode(line)),
    }))
  }

  async revoke(id: string, link: string): Promise<void> {
    await (await this.#way).links(id).revoke(link)
  }

  async runs(): Promise<unknown> {
    return (await this.#way).runs()
  }

  async restartWorker(): Promise<void> {
    await (await this.#way).restartWorker()
  }
}

declare global {
  interface Window {
    rig: Rig
    /** Instead of the query of the address, in a frame that has none. */
    rigQuery?: string
  }
}

window.rig = new Rig()
