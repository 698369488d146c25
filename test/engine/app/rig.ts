import { openWaystone, type Waystone } from '@waystone/browser'
import type { AnyAgent, RunHandle, RunView } from '@waystone/core'
import type { Code } from '../engine-cases.ts'
import type { Command } from '../engine-case.ts'
import { act, entriesOf, watchTexts, type EntryFacts } from '../engine-host.ts'

/** What hosts the runs of a page: its own agents, or the file of a worker, which is told of the code in its address. */
export interface HostScripts {
  readonly agentsOf: (code: Code) => readonly AnyAgent[]
  readonly worker: string
}

/** A run with a Waystone of its own: other runs do not die with its host. */
class HostedInPage {
  readonly #id: string
  readonly #way: Promise<Waystone>
  readonly #place: 'page' | 'worker'
  #code: Code
  #run: Promise<RunHandle> | undefined
  #texts: readonly string[] = []

  constructor({ agentsOf, worker: file }: HostScripts, id: string, place: 'page' | 'worker', code: Code) {
    this.#id = id
    this.#place = place
    this.#code = code
    const worker = (): Worker => {
      const query = new URLSearchParams(location.search)
      query.set('code', this.#code)
      return new Worker(`/${file}?${String(query)}`, { type: 'module' })
    }
    this.#way = openWaystone({ name: id, ...(place === 'page' ? { agents: agentsOf(code) } : { worker }) })
  }

  async start(agent: string, input: unknown): Promise<void> {
    await (await this.#way).start(agent, input, { id: this.#id })
    await this.run()
  }

  run(): Promise<RunHandle> {
    this.#run ??= this.#way.then(async (way) => {
      const run = (await way.open(this.#id)) as RunHandle
      this.#texts = watchTexts(run)
      return run
    })
    return this.#run
  }

  async view(): Promise<RunView | undefined> {
    return (await this.run()).view()
  }

  async entries(): Promise<readonly EntryFacts[]> {
    return entriesOf(await this.run())
  }

  async texts(): Promise<readonly string[]> {
    await this.run()
    return this.#texts
  }

  async act(command: Command): Promise<void> {
    await act(await this.run(), command)
  }

  /** Ends the worker as a crash would, and starts one with the code for later. */
  async kill(): Promise<void> {
    if (this.#place === 'page') throw new Error('a page is killed from outside')
    this.#code = 'later'
    await (await this.#way).restartWorker()
  }

  async close(): Promise<void> {
    await (await this.#way).close()
  }
}

/** Lets a test open runs in this page and its workers, by expressions. */
export function serveRig(scripts: HostScripts): void {
  const hosted = new Map<string, HostedInPage>()
  const engine = {
    of(id: string, place: 'page' | 'worker', code: Code = 'first'): HostedInPage {
      const run = hosted.get(id) ?? new HostedInPage(scripts, id, place, code)
      hosted.set(id, run)
      return run
    },
  }
  Object.assign(globalThis, { engine })
}
