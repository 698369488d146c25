import { join } from 'node:path'
import type { Plugin } from 'vite'
import { defaultSources } from './default-sources.ts'

const nodeModules = join(import.meta.dirname, '../../node_modules')

/** Puts the default sources beside the page, with an index of them. */
export function sourcesPlugin(): Plugin {
  return {
    name: 'waystone-sources',
    generateBundle() {
      const sources = defaultSources(nodeModules)
      for (const { file, text } of sources)
        this.emitFile({ type: 'asset', fileName: `sources/${file}`, source: text })
      const index = sources.map(({ file, title, text }) => ({
        title,
        url: `/sources/${file}`,
        bytes: Buffer.byteLength(text),
      }))
      this.emitFile({
        type: 'asset',
        fileName: 'sources/index.json',
        source: JSON.stringify(index, undefined, 2),
      })
    },
  }
}

/** Tells the service worker which files make the page work without a network. A change of any of them renews it. */
export function precachePlugin(): Plugin {
  return {
    name: 'waystone-precache',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter(
        (file) => !/\.map$|^service-worker\.js$|^index\.html$|^assets\/(ai|dist)-/.test(file),
      )
      const list = JSON.stringify(['/', ...files.sort().map((file) => `/${file}`)])
      const worker = bundle['service-worker.js']
      if (worker?.type !== 'chunk') return
      worker.code = worker.code.replace(/(["'`])PRECACHE\1/, () => JSON.stringify(list))
    },
  }
}
