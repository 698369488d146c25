import { poll } from '../harness/poll.ts'
import type { Notebook } from './app/notebook.ts'
import type { Round } from './round.ts'

const settleMsMax = 60_000

/** Has everybody stop writing into the session of a round, and holds what they have of it against what was acknowledged. */
export async function checkNotes(round: Round): Promise<void> {
  const { tally, stage, notebook, local } = round
  const devices = await settled(round)
  if (!local) {
    const atEdge = (await stage.watch.pull(notebook)).at(-1)?.digest
    if (devices.some(({ head }) => head !== atEdge))
      tally.divergences.push(`the session ${notebook} is another one at the edge`)
  }
  for (const failed of stage.control.failures(notebook)) tally.wrong.push(failed)
  for (const { notes, count } of devices) {
    if (notes.length !== count)
      tally.wrong.push(
        `the session ${notebook} has counted ${String(count)} of ${String(notes.length)} notes`,
      )
    const twice = notes.find((note, at) => notes.indexOf(note) !== at)
    if (twice !== undefined) tally.wrong.push(`the note ${twice} is twice in the session ${notebook}`)
  }
  const there = new Set(devices.flatMap(({ notes, keys }) => [...notes, ...keys]))
  const aside = new Set(
    devices.flatMap(({ setAside }) => setAside.flatMap(({ notes, keys }) => [...notes, ...keys])),
  )
  for (const note of stage.control.notes(notebook)) {
    tally.acknowledged.notes += 1
    if (there.has(note) || aside.has(note)) tally.found.notes += 1
    else tally.lost.push(`the note ${note} of the session ${notebook}`)
    if (!there.has(note) && aside.has(note)) tally.notesSetAside += 1
  }
}

/** The session as each device has it, once all have the same. */
async function settled({ tab, colleague, notebook }: Round): Promise<readonly Notebook[]> {
  await tab.ask('stopNotes')
  await colleague?.stop()
  let devices: readonly Notebook[] = []
  return poll(
    async () => {
      devices = await Promise.all([tab.ask<Notebook>('notes'), ...(colleague ? [colleague.look()] : [])])
      return new Set(devices.map(({ head }) => head)).size === 1 ? devices : undefined
    },
    {
      timeoutMs: settleMsMax,
      everyMs: 100,
      message: () =>
        `the session ${notebook} is not the same everywhere: ${JSON.stringify(devices.map(({ head, count }) => ({ head, count })))}`,
    },
  )
}
