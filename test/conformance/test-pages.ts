import { join } from 'node:path'
import { afterAll } from 'vitest'
import { launchEngine, type Engine, type EngineName, type EnginePage } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

/** Serves the page whose global `page` the tests of IndexedDB call. */
export async function servePage(): Promise<StaticServer> {
  const entries = ['page.ts', 'worker.ts'].map((file) => join(import.meta.dirname, file))
  const html =
    '<!doctype html><title>Conformance</title><body><script type="module" src="./page.js"></script>'
  return serveStatic({ 'index.html': html, ...(await bundle(entries)) })
}

/** Opens a tab with the page, and waits until it is there. */
export async function openTab<P extends EnginePage>(
  engine: { newPage(): Promise<P> },
  server: StaticServer,
): Promise<P> {
  const tab = await engine.newPage()
  await tab.goto(`${server.url}/`)
  await tab.waitFor('page')
  return tab
}

/** Gives the one tab that all cases of a suite share, in an engine that starts with the first of them and ends with the suite. */
export function sharedTab(engineName: EngineName, server: () => StaticServer): () => Promise<EnginePage> {
  let engine: Engine | undefined
  let tab: EnginePage | undefined
  afterAll(() => engine?.close())
  return async () => {
    engine ??= await launchEngine(engineName)
    return (tab ??= await openTab(engine, server()))
  }
}

/** An expression that calls a function of the page. */
export function call(name: string, ...args: readonly unknown[]): string {
  return `page.${name}(${args.map((arg) => JSON.stringify(arg) ?? 'undefined').join(', ')})`
}
