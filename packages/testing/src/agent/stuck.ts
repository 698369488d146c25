import { WaystoneError, type RunView, type Wait } from '@waystone/core'
import { isOver } from './next-time.ts'

/** The error for runs that go on with nothing that the test gives. */
export function stuck(views: readonly RunView[]): WaystoneError {
  const going = views.filter((view) => !isOver(view))
  const waits = going.flatMap(({ live }) =>
    live.calls.flatMap(({ path, waits: wait }) => (wait ? [`"${path}" ${missing(wait)}`] : [])),
  )
  const paused = going.flatMap(({ run, error }) => (error ? [`run ${run} is paused: ${error.message}`] : []))
  const asks = going.flatMap((view) => view.asks.map(({ path, question }) => ({ path, question })))
  const what = [...waits, ...paused].join('; ')
  return new WaystoneError(
    'input_refused',
    what === ''
      ? 'the run stands still, and waits for nothing that the test could give'
      : `the run waits, and the test has nothing to give: ${what}`,
    { details: { asks, calls: going.flatMap(({ live }) => live.calls) } },
  )
}

function missing(wait: Wait): string {
  switch (wait.for) {
    case 'answer':
      return 'is an open question: name it in `answers`, or decide about it in `decisions`'
    case 'message':
      return `waits for a message "${wait.name}": add one to \`messages\``
    case 'place':
      return `needs "${wait.need}"${wait.at === undefined ? '' : ` at ${wait.at}`}: provide it in \`use\`, and see \`place\``
    case 'child':
      return `waits for run ${wait.run}`
    case 'time':
    case 'network':
      return `waits for the ${wait.for}`
  }
}
