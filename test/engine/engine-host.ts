import type { AnyAgent, RunHandle, RunView } from '@waystone/core'
import type { Command } from './engine-case.ts'

/** An entry of a run as far as the cases look at it. */
export interface EntryFacts {
  readonly kind: string
  readonly path?: string
}

/** One run in a host that can be killed. */
export interface HostedRun {
  start(agent: AnyAgent, input: object): Promise<void>
  /** Undefined before the run is here. */
  view(): Promise<RunView | undefined>
  entries(): Promise<readonly EntryFacts[]>
  /** What the readers of its streams were shown, each text once, in its order. */
  texts(): Promise<readonly string[]>
  act(command: Command): Promise<void>
  /** Ends its host at once, as a crash would, and opens it again with the code for later. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** Where runs are hosted: what a platform gives for all of them. */
export interface EngineHost {
  /** A host for one run, under the id of that. */
  run(id: string): Promise<HostedRun>
  close(): Promise<void>
}

/** Carries out a command. */
export async function act(run: RunHandle, command: Command): Promise<void> {
  switch (command.do) {
    case 'answer':
      return run.answer(run.view()?.asks[0]?.ask ?? 'none', command.value, { by: command.by })
    case 'send':
      return run.send(command.name, command.value)
    case 'interrupt':
      return run.interrupt()
    case 'decide':
      return run.decide(command.start, command)
  }
}

/** The log of a run as facts. */
export async function entriesOf(run: RunHandle): Promise<readonly EntryFacts[]> {
  while (await run.loadEarlier());
  return run.entries().map(({ kind, body }) => ('path' in body ? { kind, path: body.path } : { kind }))
}

/** Collects what the readers of a run's streams are shown. */
export function watchTexts(run: RunHandle): readonly string[] {
  const texts: string[] = []
  run.subscribe((view) => {
    for (const text of Object.values(view.streams)) if (text !== texts.at(-1)) texts.push(text)
  })
  return texts
}
