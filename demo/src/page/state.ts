import type { Waystone } from '@waystone/browser'
import type { Entry, RunHandle, RunSummary, RunView, SetAside } from '@waystone/core'
import type { ModelSettings } from '../agent/model-writer.ts'
import type { AskState, Published } from '../agent/types.ts'
import { createStore } from './store.ts'
import { fromTheStart, type Began } from './timeline.ts'

/** A document the demo brings along. */
export interface DefaultSource {
  readonly title: string
  readonly url: string
  readonly bytes: number
}

/** What the ledger says about the publication of a run. */
export interface LedgerCount {
  readonly starts: number
  readonly effects: number
}

export type AskRun = RunHandle<AskState, Published>
export type AskView = RunView<AskState, Published>

/** Something that was measured: how long a run stood still. */
export interface Measured {
  readonly what: 'move' | 'kill'
  readonly ms: number
  /** How far the draft was, when it went on in the middle of it. */
  readonly chars?: number
}

/** Everything the page shows. */
export interface PageState {
  readonly way: Waystone | undefined
  /** Why there is no Waystone, in words. */
  readonly failed: string | undefined
  readonly runs: readonly RunSummary[]
  /** Questions by run, as far as this browser has seen them. */
  readonly titles: Readonly<Record<string, string>>
  readonly sources: readonly DefaultSource[]
  /** The chosen run; undefined shows the introduction. */
  readonly run: string | undefined
  readonly handle: AskRun | undefined
  readonly view: AskView | undefined
  readonly entries: readonly Entry[]
  /** Where these entries begin: a long run is shown from its newest snapshot on. */
  readonly began: Began
  readonly setAside: readonly SetAside[]
  readonly ledger: LedgerCount | undefined
  readonly measured: Measured | undefined
  /** An action under way, by its name. */
  readonly busy: string | undefined
  /** The last thing that went wrong, in words. */
  readonly problem: string | undefined
  readonly token: string | undefined
  /** A token that came with a link, and that nobody has said yet to use. */
  readonly offered: string | undefined
  readonly edge: 'none' | 'asking' | 'ready' | 'refused' | 'away'
  /** Who writes at the edge. */
  readonly edgeWriter: string | undefined
  readonly model: ModelSettings | undefined
  readonly online: boolean
  readonly pane: 'ask' | 'run' | 'log'
  readonly dialog: 'device' | 'settings' | 'token' | undefined
}

/** The state of the page. */
export const page = createStore<PageState>({
  way: undefined,
  failed: undefined,
  runs: [],
  titles: {},
  sources: [],
  run: undefined,
  handle: undefined,
  view: undefined,
  entries: [],
  began: fromTheStart,
  setAside: [],
  ledger: undefined,
  measured: undefined,
  busy: undefined,
  problem: undefined,
  token: undefined,
  offered: undefined,
  edge: 'none',
  edgeWriter: undefined,
  model: undefined,
  online: true,
  pane: 'ask',
  dialog: undefined,
})
