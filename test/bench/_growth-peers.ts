import { join } from 'node:path'
import { launchEngine } from '../harness/engines.ts'
import { bundle, serveStatic } from '../harness/static-server.ts'
import { pageOf } from './_serve-page.ts'
import type { Grown } from './peers/peer.ts'

/** Lets each peer keep a conversation of so many messages in Chromium, each in an origin of its own. */
export async function growPeers(messages: number): Promise<readonly (Grown & { readonly name: string })[]> {
  const files = {
    ...(await bundle([join(import.meta.dirname, 'peers/page.ts')])),
    'index.html': pageOf('growth', 'page.js'),
  }
  const engine = await launchEngine('chromium')
  const grown: (Grown & { readonly name: string })[] = []
  let names: readonly string[] = ['waystone']
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] as string
    const server = await serveStatic(files)
    const page = await engine.newPage()
    await page.goto(`${server.url}/`)
    await page.waitFor('window.grow !== undefined && window.names !== undefined')
    names = await page.evaluate<readonly string[]>('names')
    grown.push({
      name,
      ...(await page.evaluate<Grown>(`grow(${JSON.stringify(name)}, ${String(messages)})`)),
    })
    await page.close()
    await server.close()
  }
  await engine.close()
  return grown
}
