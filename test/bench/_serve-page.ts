import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

const pages = join(import.meta.dirname, 'pages')

/** Serves the page of a benchmark, `pages/NAME-page.ts`, with its worker, if it has one. */
export async function servePage(name: string): Promise<StaticServer> {
  const sources = [join(pages, `${name}-page.ts`), join(pages, `${name}-worker.ts`)].filter((file) =>
    existsSync(file),
  )
  return serveStatic({ ...(await bundle(sources)), 'index.html': pageOf(name, `${name}-page.js`) })
}

/** A page that only runs a script. */
export function pageOf(title: string, script: string): string {
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><script type="module" src="/${script}"></script>`
}
