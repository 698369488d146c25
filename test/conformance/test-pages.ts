import { join } from 'node:path'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

/** Serves the page whose global `page` the tests of IndexedDB call. */
export async function servePage(): Promise<StaticServer> {
  const entries = ['page.ts', 'worker.ts'].map((file) => join(import.meta.dirname, file))
  const html =
    '<!doctype html><title>Conformance</title><body><script type="module" src="./page.js"></script>'
  return serveStatic({ 'index.html': html, ...(await bundle(entries)) })
}

/** An expression that calls a function of the page. */
export function call(name: string, ...args: readonly unknown[]): string {
  return `page.${name}(${args.map((arg) => JSON.stringify(arg) ?? 'undefined').join(', ')})`
}
