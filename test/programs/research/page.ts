import { openWaystone } from '@waystone/browser'
import type { research } from './agent.ts'

const waystone = await openWaystone({
  worker: () => new Worker(`/research.worker.js${location.search}`, { type: 'module' }),
})
// Starting it again with the same id gives the run that is there, so a page that opens anew just goes on.
await waystone.start('research', { topic: 'tides' }, { id: 'report' })
const run = await waystone.open<typeof research>('report')

run.subscribe(({ status, head, labels }) => {
  const milestones = labels.map(({ label }) => label)
  document.body.textContent = `${status}, ${String(head.seq)} entries: ${milestones.join(', ')}`
})

/** All that is kept of the run, not only what came after its newest snapshot. */
async function all(): Promise<typeof run> {
  while (await run.loadEarlier());
  return run
}

// For the console, and for whoever looks at this page from outside.
Object.assign(globalThis, { run, all })
