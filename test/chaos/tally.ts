/** What can be killed. */
export type Victim = 'renderer' | 'worker' | 'browser' | 'edge'

/** How a run went on after a kill, in ms. */
export interface Resume {
  readonly victim: Victim
  /** Characters of the run's state. */
  readonly chars: number
  /** With an edge the run asks it for its head before it goes on. */
  readonly local: boolean
  /** From the kill until the run had appended again, starting whatever was killed included; undefined when that was late on purpose. */
  readonly sinceKill: number | undefined
  /** From the beginning of the page's loading; undefined where the page stayed. */
  readonly sinceLoad: number | undefined
  /** From the first line of the worker's script. */
  readonly sinceWorker: number | undefined
}

/** How long the edge took to go on after it was killed, in ms since it answered again. */
export interface EdgeResume {
  /** True when somebody sent a message, false when only its alarm woke it. */
  readonly asked: boolean
  readonly ms: number
  readonly sinceKill: number
}

/** What a second tab took, in ms. */
export interface TakeOver {
  readonly how: 'crashed' | 'closed'
  /** From the kill, or from the first tab's `pagehide`, until the second tab's append was complete. */
  readonly ms: number
  /** From when the browser was asked to close the tab. */
  readonly sinceAsked: number
}

/** What can be acknowledged. */
interface Counts {
  relaxed: number
  strict: number
  edge: number
  sends: number
  starts: number
  /** Written into sessions. */
  notes: number
}

/** All that chaos counts. */
export interface Tally {
  /** By victim and point. */
  readonly kills: Record<string, number>
  /** Points that did not come within their time: the kill was made all the same. */
  missed: number
  /** Kills that left the database blocked, until the tab was killed, too. */
  blocked: number
  /** Heads that the stores of devices had acknowledged, by the durability of their transactions. */
  readonly acknowledged: Counts
  readonly found: Counts
  /** What the acknowledged records end with, by durability: kinds of entries. */
  readonly kinds: { readonly relaxed: Record<string, number>; readonly strict: Record<string, number> }
  /** Found among the tails that were set aside, not in the log. */
  setAside: number
  notesSetAside: number
  readonly lost: string[]
  onceStarted: number
  readonly startedTwice: string[]
  onceVerified: number
  onceDecided: number
  steps: number
  readonly ranAgain: string[]
  /** Steps that a cut-off owner ran before it heard that another one has the run. */
  byStaleOwner: number
  readonly divergences: string[]
  /** Runs that ended, and those of them whose end was not right. */
  ended: number
  readonly wrong: string[]
  /** Pauses for other reasons than an unknown outcome, by code. */
  readonly pauses: Record<string, number>
  takenOverByEdge: number
  /** Runs whose owner was gone and that the edge left to the person they wait for. */
  leftToPerson: number
  /** Moves that were refused and tried again, by reason. */
  readonly refusals: Record<string, number>
  readonly resumes: Resume[]
  readonly edgeResumes: EdgeResume[]
  readonly takeOvers: TakeOver[]
}

/** Nothing yet. */
export function emptyTally(): Tally {
  const none = { relaxed: 0, strict: 0, edge: 0, sends: 0, starts: 0, notes: 0 }
  return {
    kills: {},
    missed: 0,
    blocked: 0,
    acknowledged: { ...none },
    found: { ...none },
    kinds: { relaxed: {}, strict: {} },
    setAside: 0,
    notesSetAside: 0,
    lost: [],
    onceStarted: 0,
    startedTwice: [],
    onceVerified: 0,
    onceDecided: 0,
    steps: 0,
    ranAgain: [],
    byStaleOwner: 0,
    divergences: [],
    ended: 0,
    wrong: [],
    pauses: {},
    takenOverByEdge: 0,
    leftToPerson: 0,
    refusals: {},
    resumes: [],
    edgeResumes: [],
    takeOvers: [],
  }
}

/** One more of a name. */
export function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}
