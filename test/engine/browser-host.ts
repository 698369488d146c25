import { join } from 'node:path'
import { launchEngine, type Engine, type EngineName, type EnginePage } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'
import type { EngineHost, HostedRun } from './engine-host.ts'

/** What a browser is served. */
export interface HostPage {
  /** Its sources: that of the page, which is `page.ts`, and those of workers. */
  readonly files: readonly string[]
  /** What its address says beside. */
  readonly query: string
}

/** The page of the cases. */
export const casesPage: HostPage = {
  files: ['page.ts', 'engine.worker.ts'].map((file) => join(import.meta.dirname, 'app', file)),
  query: '',
}

async function servePage(files: readonly string[]): Promise<StaticServer> {
  const scripts = await bundle(files)
  const html =
    '<!doctype html><meta charset="utf-8"><title>Engine</title><script type="module" src="/page.js"></script>'
  return serveStatic({ ...scripts, 'index.html': html })
}

async function openTab(engine: Engine, url: string): Promise<EnginePage> {
  const tab = await engine.newPage()
  await tab.goto(url)
  await tab.waitFor('globalThis.engine !== undefined')
  return tab
}

/** A browser: its runs are hosted by workers of one page, a worker each, or by pages, a page each. */
export async function browserHost(
  name: EngineName,
  place: 'page' | 'worker',
  { files, query }: HostPage,
): Promise<EngineHost> {
  const server = await servePage(files)
  const engine = await launchEngine(name)
  const open = (): Promise<EnginePage> => openTab(engine, `${server.url}/${query}`)
  const shared = place === 'worker' ? await open() : undefined
  return {
    run: async (id) => (shared ? inWorker(shared, id) : inPage(await open(), open, id)),
    async close() {
      await engine.close()
      await server.close()
    },
  }
}

/** Calls a method of a run where it is hosted. */
type Call = <T>(method: string, ...args: readonly unknown[]) => Promise<T>

function callsOf(tab: () => EnginePage, of: string): Call {
  return (method, ...args) =>
    tab().evaluate(`${of}.${method}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`)
}

function commandsOf(call: Call): Omit<HostedRun, 'kill' | 'close' | 'texts'> {
  return {
    start: ({ name }, input) => call('start', name, input),
    view: () => call('view'),
    entries: () => call('entries'),
    act: (command) => call('act', command),
  }
}

function inWorker(tab: EnginePage, id: string): HostedRun {
  const call = callsOf(() => tab, `engine.of('${id}', 'worker')`)
  return {
    ...commandsOf(call),
    texts: () => call('texts'),
    kill: () => call('kill'),
    close: () => call('close'),
  }
}

function inPage(first: EnginePage, open: () => Promise<EnginePage>, id: string): HostedRun {
  let tab = first
  let code = 'first'
  /** What readers in pages that are gone have seen. */
  let before: readonly string[] = []
  const call: Call = (method, ...args) =>
    callsOf(() => tab, `engine.of('${id}', 'page', '${code}')`)(method, ...args)
  const texts = async (): Promise<readonly string[]> => [
    ...before,
    ...(await call<readonly string[]>('texts')),
  ]
  return {
    ...commandsOf(call),
    texts,
    async kill() {
      before = await texts()
      await tab.close()
      code = 'later'
      tab = await open()
      await call('view')
    },
    close: () => tab.close(),
  }
}
