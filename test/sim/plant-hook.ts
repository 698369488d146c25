import { registerHooks } from 'node:module'
import { env } from 'node:process'
import { plants } from './plants.ts'

/** Loaded before the simulation: changes the sources that a planted bug names as they are read. */
const plant = plants.find(({ name }) => name === env['WAYSTONE_PLANT'])
if (plant === undefined) throw new Error(`there is no planted bug "${String(env['WAYSTONE_PLANT'])}"`)

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const patches = plant.patches.filter(({ file }) => url.endsWith(`/${file}`))
    if (patches.length === 0) return loaded
    const source = patches.reduce((text, { file, find, replace }) => {
      const parts = text.split(find)
      if (parts.length !== 2)
        throw new Error(`${plant.name}: ${file} has what it changes ${String(parts.length - 1)} times`)
      return parts.join(replace)
    }, textOf(loaded.source))
    return { ...loaded, source }
  },
})

function textOf(source: unknown): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source as Uint8Array)
}
