import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasTable, readDatabases } from '../harness/edge-databases.ts'
import type { EdgeProcess } from '../harness/edge-process.ts'
import { startEffectServer, type EffectServer, type EffectServerOptions } from '../harness/effect-server.ts'
import { launchEngine, type ChromiumEngine, type ChromiumPage } from '../harness/engines.ts'
import { startLastingEdge } from '../harness/lasting-edge.ts'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

const app = join(import.meta.dirname, 'app')
/** What lets in to the edge of a world. */
export const token = 'a-secret-of-the-tests'

/** A device: a browser profile of its own with the page of the tests. */
export interface Device {
  readonly engine: ChromiumEngine
  /** The network between this device and the edge. */
  readonly network: LossyProxy
  /**
   * Opens a tab with the page, and waits until it is there. `before` is done in the empty tab; `as` is another token than
   * the one that may do everything; with `encryption` its runs are encrypted, with the key of one person.
   */
  open(
    before?: (tab: ChromiumPage, origin: string) => Promise<void>,
    as?: string,
    encryption?: 'end-to-end' | 'lent' | 'lent briefly',
  ): Promise<ChromiumPage>
  /** Ends the browser, lets something happen to its profile, and starts it again with a tab of the page. */
  relaunch(between: (profileDir: string) => Promise<void>): Promise<ChromiumPage>
  close(): Promise<void>
}

/** A page, an edge with its state on disk, and an outside server that counts effects. */
export interface World {
  readonly effects: EffectServer
  edge(): EdgeProcess
  /** All bytes that the edge has stored. */
  stored(): Promise<Uint8Array>
  /** How many rows the objects of the edge have in a table. */
  rowsIn(table: string): Promise<number>
  /** What lets a request of the test itself in. */
  readonly headers: Readonly<Record<string, string>>
  /** SIGKILL to the whole tree of the edge, and the same edge again. */
  killEdge(): Promise<void>
  startEdge(): Promise<void>
  device(): Promise<Device>
  close(): Promise<void>
}

/** Starts all that an end-to-end test needs; `edge: false` leaves everything local. */
export async function startWorld(
  options: { readonly edge?: boolean; readonly answer?: EffectServerOptions['answer'] } = {},
): Promise<World> {
  const { answer } = options
  const effects = await startEffectServer(answer ? { answer } : {})
  const page = await servePage()
  const vars = {
    TOKEN: token,
    ORIGINS: page.url,
    LENDING: 'a lending secret of the tests, long enough',
    EFFECTS: effects.url,
  }
  const edge =
    options.edge === false ? undefined : await startLastingEdge({ config: join(app, 'wrangler.toml'), vars })
  const devices: Device[] = []

  return {
    effects,
    headers: { authorization: `Bearer ${token}`, 'waystone-device': 'the-test' },
    edge() {
      if (edge === undefined) throw new Error('this world has no edge')
      return edge.process
    },
    async killEdge() {
      await edge?.process.kill()
    },
    async startEdge() {
      await edge?.start()
    },
    async stored() {
      if (edge === undefined) return new Uint8Array(0)
      const found = await readdir(edge.persistTo, { recursive: true, withFileTypes: true })
      const files = found
        .filter((one) => one.isFile())
        .map(({ parentPath, name }) => readFile(join(parentPath, name)))
      return Buffer.concat(await Promise.all(files))
    },
    async rowsIn(table) {
      if (edge === undefined) return 0
      const counts = await readDatabases(edge.persistTo, (database) =>
        hasTable(database, table)
          ? (database.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count
          : 0,
      )
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async device() {
      const profileDir = await mkdtemp(join(tmpdir(), 'waystone-profile-'))
      let engine = await launchEngine('chromium', { profileDir })
      const network = await startLossyProxy(() => edge?.process.url ?? 'http://127.0.0.1:9')
      const query = (as: string, encryption?: string): string => {
        if (edge === undefined) return ''
        const how = encryption === undefined ? {} : { encryption }
        return `?${String(new URLSearchParams({ edge: network.url, token: as, ...how }))}`
      }
      const device: Device = {
        get engine() {
          return engine
        },
        network,
        async open(before, as = token, encryption) {
          const tab = await engine.newPage()
          await before?.(tab, page.url)
          await tab.goto(`${page.url}/${query(as, encryption)}`)
          await tab.waitFor('window.rig !== undefined')
          return tab
        },
        async relaunch(between) {
          await engine.close()
          await between(profileDir)
          engine = await launchEngine('chromium', { profileDir })
          return device.open()
        },
        async close() {
          await engine.close()
          await network.close()
          await rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
        },
      }
      devices.push(device)
      return device
    },
    async close() {
      for (const device of devices) await device.close().catch(() => undefined)
      await edge?.close()
      await page.close()
      await effects.close()
    },
  }
}

async function servePage(): Promise<StaticServer> {
  const scripts = await bundle([join(app, 'page.ts'), join(app, 'agent.worker.ts')])
  const html =
    '<!doctype html><meta charset="utf-8"><title>Waystone</title><script type="module" src="/page.js"></script>'
  return serveStatic({ ...scripts, 'index.html': html })
}
