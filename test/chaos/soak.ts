import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { browserRandom } from '@waystone/browser'
import { parseLine, RunHandle, type Bodies, type RunId, type Runtime } from '@waystone/core'
import { nodeClock } from '@waystone/node'
import { startEffectServer, type EffectServer } from '../harness/effect-server.ts'
import { startLastingEdge, type LastingEdge } from '../harness/lasting-edge.ts'
import { nodeDevice } from '../harness/node-device.ts'
import { poll } from '../harness/poll.ts'
import { soaker } from './app/soaker.ts'
import { randomFrom, type Random } from './random.ts'

/** How much is soaked. */
export interface SoakOptions {
  readonly runs: number
  /** How often workerd is killed; every second time another release is deployed. */
  readonly kills: number
  readonly turns: number
  readonly seed: number
  readonly tell?: (line: string) => void
}

/** What a soak came to. Everything in `wrong` is a defect. */
export interface Soaked {
  readonly finished: number
  readonly startedTwice: readonly string[]
  /** Runs of which the catalog says something else than they do. */
  readonly catalogDiffers: readonly string[]
  readonly wrong: readonly string[]
  /** Entries that a run has and has kept, the most of all. */
  readonly entriesMost: number
  readonly keptMost: number
  /** What the edge has on disk for each run. */
  readonly bytesARun: number
  readonly kills: number
  /** How often a person had to decide about an effect, or let a run go on. */
  readonly decided: number
  readonly releases: number
}

const token = 'a-secret-of-the-soak'
const leaseMs = 3_000
const deviceCount = 8
const endMsMax = 600_000
/** Between two kills, in ms. */
const peaceMsMin = 2_000
const peaceMsMax = 6_000

/** A device in this process: it begins runs, and follows those that have moved. */
function deviceOf(name: string, url: string): Promise<Runtime> {
  return nodeDevice(name, [soaker(1)], { url, token }).open()
}

/** Many runs in use while the edge is killed and deployed anew, until all have ended; then everything is looked at. */
export async function soak(options: SoakOptions): Promise<Soaked> {
  const random = randomFrom(options.seed)
  const effects = await startEffectServer({ answerMs: () => random.whole(2, 30) })
  const edge = await startLastingEdge({
    config: join(import.meta.dirname, 'app/wrangler.toml'),
    vars: varsOf(1),
  })
  const soaking = new Soak(options, random, effects, edge)
  try {
    return await soaking.play()
  } finally {
    await soaking.close()
    await edge.close()
    await effects.close()
  }
}

function varsOf(release: number): Readonly<Record<string, string>> {
  return { TOKEN: token, ORIGINS: 'http://localhost', RELEASE: String(release) }
}

class Soak {
  readonly #options: SoakOptions
  readonly #random: Random
  readonly #effects: EffectServer
  readonly #edge: LastingEdge
  readonly #over = new AbortController()
  readonly #runs: RunId[] = []
  readonly #wrong: string[] = []
  #devices: readonly Runtime[] = []
  #kills = 0
  #decided = 0
  #release = 1

  constructor(options: SoakOptions, random: Random, effects: EffectServer, edge: LastingEdge) {
    this.#options = options
    this.#random = random
    this.#effects = effects
    this.#edge = edge
  }

  async play(): Promise<Soaked> {
    const { runs, tell = () => undefined } = this.#options
    const { url } = this.#edge.process
    this.#devices = await Promise.all(
      Array.from({ length: deviceCount }, (_, number) => deviceOf(`device-${String(number)}`, url)),
    )
    await Promise.all(
      this.#devices.map(async (device, number) => {
        for (let at = number; at < runs; at += deviceCount) await this.#begin(device, at)
      }),
    )
    tell(`${String(runs)} runs have begun`)
    const person = this.#answer()
    await this.#kill(tell)
    await this.#ended(tell)
    this.#over.abort()
    await person
    return this.#look()
  }

  async close(): Promise<void> {
    this.#over.abort()
    for (const device of this.#devices) await device.close()
  }

  /** Some runs stay where they begin; the others move to the edge. */
  async #begin(device: Runtime, number: number): Promise<void> {
    const name = `soak-${String(number)}`
    const { turns } = this.#options
    const input = { server: this.#effects.url, name, turns }
    const run = await device.start('soaker', input, { id: name, whenGone: 'edge', leaseMs })
    this.#runs.push(run)
    if (number % 6 === 0) return
    for (;;) {
      try {
        return await device.move(run, 'edge', { drainMs: 500 })
      } catch {
        await nodeClock().wait(200)
      }
    }
  }

  /** Kills workerd again and again; every second time another release comes up. */
  async #kill(tell: (line: string) => void): Promise<void> {
    while (this.#kills < this.#options.kills) {
      await nodeClock().wait(this.#random.whole(peaceMsMin, peaceMsMax))
      await this.#edge.process.kill()
      this.#kills += 1
      if (this.#kills % 2 === 0) this.#release += 1
      await this.#edge.start(varsOf(this.#release))
      tell(`${String(this.#kills)} kills, release ${String(this.#release)}`)
    }
  }

  /** Somebody who looks into the list for runs that wait for a person, and answers, or decides what became of an effect. */
  async #answer(): Promise<void> {
    while (!this.#over.signal.aborted) {
      for (const { run } of await this.#listed('status=waiting').catch(() => [])) {
        try {
          const { asks } = (await this.#ask(`/v1/runs/${run}/asks`)) as { asks: { ask: string }[] }
          for (const { ask } of asks) await this.#send(run, ask)
        } catch {
          // The edge was killed, or somebody was faster: it is asked again.
        }
      }
      for (const { run } of await this.#listed('status=paused').catch(() => []))
        await this.#decide(run).catch(() => undefined)
      await nodeClock().wait(300, this.#over.signal)
    }
  }

  /** The outside says whether an effect happened; what a busy machine did not do in time is done again. */
  async #decide(run: string): Promise<void> {
    const { kind, seq, body } = parseLine((await this.#lines(run as RunId)).at(-1) as Uint8Array)
    if (kind !== 'pause') return
    const { reason, error } = body as unknown as Bodies['pause']
    const { start, key } = (error.details ?? {}) as { readonly start?: string; readonly key?: string }
    const happened = key !== undefined && this.#effects.starts(key) > 0
    const decision = happened ? { type: 'done', value: key } : { type: 'again' }
    const item = reason === 'outcome' ? { type: 'decide', start, decision } : { type: 'retry' }
    this.#decided += 1
    await this.#post(run, { ...item, id: `${run}-${String(seq)}` })
  }

  async #send(run: string, ask: string): Promise<void> {
    await this.#post(run, { type: 'answer', ask, value: `to ${run}`, id: `answer-${ask.slice(0, 20)}` })
  }

  async #post(run: string, item: object): Promise<void> {
    const body = JSON.stringify({ ...item, by: 'a person', time: 0 })
    await this.#ask(`/v1/runs/${run}/inbox`, { method: 'POST', body })
  }

  /** Waits until the catalog says of every run that it has ended. */
  async #ended(tell: (line: string) => void): Promise<void> {
    let said = 0
    const left = async (): Promise<readonly Listed[]> =>
      (await this.#listed().catch(() => [])).filter(({ status }) => status !== 'done')
    await poll(
      async () => {
        const all = await this.#listed().catch(() => [])
        const count = all.filter(({ status }) => status === 'done').length
        if (count >= said + 25)
          tell(`${String((said = count))} of ${String(this.#runs.length)} runs have ended`)
        return count === this.#runs.length ? true : undefined
      },
      {
        timeoutMs: endMsMax,
        everyMs: 1_000,
        message: async () => `not all runs end: ${JSON.stringify((await left()).slice(0, 5))}`,
      },
    ).catch((error: unknown) => this.#wrong.push(String(error)))
  }

  async #look(): Promise<Soaked> {
    const { turns } = this.#options
    const reader = await deviceOf('reader', this.#edge.process.url)
    const listed = new Map((await this.#listed()).map((one) => [one.run, one]))
    const catalogDiffers: string[] = []
    let [finished, entriesMost, keptMost] = [0, 0, 0]
    for (const run of this.#runs) {
      const handle = await RunHandle.open<{ receipts: string[]; answer: string }, number>(
        run,
        reader,
        browserRandom,
      )
      const view = await handle.until(() => true)
      if (view.status === 'done' && view.result === turns * 3) finished += 1
      const { receipts, answer } = view.state
      if (new Set(receipts).size !== turns * 3)
        this.#wrong.push(`${run}: receipts ${String(receipts.length)}`)
      if (answer !== `to ${run}`) this.#wrong.push(`${run}: was answered "${answer}"`)
      const one = listed.get(run)
      if (one?.status !== view.status || one.owner !== view.owner || one.place !== view.place || !one.valid)
        catalogDiffers.push(`${run}: ${JSON.stringify(one)} is ${view.status} at ${view.owner}`)
      const first = parseLine((await this.#lines(run))[0] as Uint8Array).seq
      entriesMost = Math.max(entriesMost, view.head.seq + 1)
      keptMost = Math.max(keptMost, view.head.seq + 1 - first)
      await handle.close()
    }
    for (const run of listed.keys())
      if (!this.#runs.includes(run as RunId))
        catalogDiffers.push(`${run}: is in the list, and nobody began it`)
    await reader.close()
    return {
      finished,
      startedTwice: this.#effects
        .effects()
        .filter(({ key, path }) => path.endsWith('.pay') && this.#effects.starts(key) > 1)
        .map(({ path, body }) => `${path} ${body}`),
      catalogDiffers,
      wrong: this.#wrong,
      entriesMost,
      keptMost,
      bytesARun: Math.round((await sizeOf(this.#edge.persistTo)) / this.#runs.length),
      kills: this.#kills,
      decided: this.#decided,
      releases: this.#release,
    }
  }

  async #listed(query = ''): Promise<readonly Listed[]> {
    const runs: Listed[] = []
    for (let after = ''; ;) {
      const page = (await this.#ask(`/v1/runs?limit=500&${query}${after}`)) as {
        runs: Listed[]
        next?: string
      }
      runs.push(...page.runs)
      if (page.next === undefined) return runs
      after = `&after=${encodeURIComponent(page.next)}`
    }
  }

  async #lines(run: RunId): Promise<readonly Uint8Array[]> {
    const response = await this.#fetch(`/v1/runs/${run}/entries?from=0`)
    return (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => new TextEncoder().encode(line))
  }

  async #ask(path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await this.#fetch(path, init)
    return response.status === 204 ? undefined : response.json()
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      authorization: `Bearer ${token}`,
      'waystone-device': 'the-soak',
      'content-type': 'application/json',
    }
    const signal = AbortSignal.timeout(10_000)
    const response = await fetch(`${this.#edge.process.url}${path}`, { ...init, headers, signal })
    if (!response.ok) throw new Error(`${path}: ${String(response.status)} ${await response.text()}`)
    return response
  }
}

interface Listed {
  readonly run: string
  readonly status: string
  readonly owner: string
  readonly place: string
  readonly valid: boolean
}

/** What objects and the bucket have, without the logs of SQLite, which a killed process leaves at their largest. */
async function sizeOf(folder: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (one) => one.isFile() && /\/(do|r2)(\/|$)/.test(one.parentPath) && !/-(wal|shm)$/.test(one.name),
  )
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
