import { startEffectServer, type EffectServer, type EffectServerOptions } from '../harness/effect-server.ts'
import { launchEngine, type ChromiumPage } from '../harness/engines.ts'
import { bundle, serveStatic } from '../harness/static-server.ts'

/** A program's page in Chromium, and the service outside that its steps ask. */
export interface Program {
  readonly service: EffectServer
  /** Opens a tab with the page, which is told of the service. */
  open(): Promise<ChromiumPage>
  close(): Promise<void>
}

/** Bundles a program's files, the page first, and starts all that it needs. `options` say what the service answers. */
export async function inChromium(files: readonly string[], options: EffectServerOptions): Promise<Program> {
  const service = await startEffectServer(options)
  const html =
    '<!doctype html><meta charset="utf-8"><title>A program</title><body><script type="module" src="/page.js"></script>'
  const site = await serveStatic({ ...(await bundle(files)), 'index.html': html })
  const chromium = await launchEngine('chromium')
  return {
    service,
    async open() {
      const tab = await chromium.newPage()
      await tab.goto(`${site.url}/?service=${encodeURIComponent(service.url)}`)
      return tab
    },
    async close() {
      await chromium.close()
      await site.close()
      await service.close()
    },
  }
}
