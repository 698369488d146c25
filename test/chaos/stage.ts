import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEffectServer, type EffectServer } from '../harness/effect-server.ts'
import type { EngineName } from '../harness/engines.ts'
import { startLastingEdge } from '../harness/lasting-edge.ts'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { bundle, serveStatic } from '../harness/static-server.ts'
import type { NoteTaker } from './app/notebook.ts'
import { seatColleague } from './colleague.ts'
import { startControl, type Control } from './control.ts'
import { seatNeighbour, type Neighbour } from './neighbour.ts'
import { deviceOf, type Device } from './device.ts'
import { watchEdge, type EdgeWatch } from './edge-watch.ts'
import type { Random } from './random.ts'

const app = join(import.meta.dirname, 'app')
const token = 'a-secret-of-chaos'
/** How long the outside takes for an effect, in ms: what load there is comes from this. */
const answerMsMin = 5
const answerMsMax = 60

/** An arrival at the outside: an effect that was started. */
export interface Arrival {
  readonly key: string
  readonly run: string
  readonly turn: number
  readonly what: string
  /** The life of the page whose worker it came from; empty for the edge. */
  readonly by: string
  readonly at: number
}

/** All that outlives the processes that are killed, and the edge, which may be one of them. */
export interface Stage {
  readonly effects: EffectServer
  readonly arrivals: readonly Arrival[]
  readonly control: Control
  readonly watch: EdgeWatch
  /** The network between the device and the edge. */
  readonly network: LossyProxy
  /** A device with a new profile; a `local` one has no edge. It writes into a session if one is named. */
  device(
    engine: EngineName,
    options: { readonly local: boolean; readonly notebook?: string },
  ): Promise<Device>
  /** Another device, which is not killed, writes into a session. */
  colleague(notebook: string): Promise<NoteTaker>
  /** Another device, which is not killed, takes runs over. */
  neighbour(id: string): Promise<Neighbour>
  /** SIGKILL to the whole tree of wrangler and workerd. */
  killEdge(): Promise<void>
  /** The same edge again, on the state it left. */
  startEdge(): Promise<void>
  close(): Promise<void>
}

/** Starts what a chaos test needs. */
export async function startStage(random: Random): Promise<Stage> {
  const arrivals: Arrival[] = []
  const effects = await startEffectServer({
    answerMs: () => random.whole(answerMsMin, answerMsMax),
    arrived({ key, body }) {
      arrivals.push({ ...(JSON.parse(body) as Omit<Arrival, 'key' | 'at'>), key, at: Date.now() })
    },
  })
  const control = await startControl()
  const page = await serveStatic({
    // Minified, as an application's would be: an inline source map would be most of what a page loads.
    ...(await bundle([join(app, 'page.ts'), join(app, 'agent.worker.ts'), join(app, 'keeper.ts')], {
      minify: true,
    })),
    'index.html': html('page'),
    'keeper.html': html('keeper'),
  })
  const edge = await startLastingEdge({
    config: join(app, 'wrangler.toml'),
    vars: { TOKEN: token, ORIGINS: page.url },
  })
  const network = await startLossyProxy(() => edge.process.url)
  const watch = watchEdge(edge.process.url, token)
  const devices: Device[] = []
  const neighbours: Neighbour[] = []

  return {
    effects,
    arrivals,
    control,
    watch,
    network,
    async device(engine, { local, notebook }) {
      const device = deviceOf({
        engine,
        control,
        profileDir: await mkdtemp(join(tmpdir(), `waystone-chaos-${engine}-`)),
        address(life, file) {
          const query = new URLSearchParams({ control: control.url, life })
          if (!local) {
            query.set('edge', network.url)
            query.set('token', token)
          }
          if (notebook !== undefined) query.set('notebook', notebook)
          return `${page.url}/${file === undefined ? '' : `${file}.html`}?${query.toString()}`
        },
      })
      devices.push(device)
      return device
    },
    colleague: (notebook) =>
      seatColleague({ url: edge.process.url, token }, notebook, {
        written: (note) => control.takeNote({ notebook, note }),
        failed: (failed) => control.takeNote({ notebook, failed }),
      }),
    async neighbour(id) {
      const neighbour = await seatNeighbour({ url: edge.process.url, token }, id)
      neighbours.push(neighbour)
      return neighbour
    },
    killEdge: () => edge.process.kill(),
    startEdge: () => edge.start(),
    async close() {
      watch.close()
      for (const device of devices) await device.close()
      for (const neighbour of neighbours) await neighbour.close()
      await edge.close()
      await network.close()
      await page.close()
      await control.close()
      await effects.close()
    },
  }
}

function html(script: string): string {
  return `<!doctype html><meta charset="utf-8"><title>Chaos</title><script type="module" src="/${script}.js"></script>`
}
