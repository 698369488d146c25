/** A document to read: at an address, or handed over by a person. */
export type Source =
  | { readonly kind: 'url'; readonly url: string; readonly title: string }
  | { readonly kind: 'file'; readonly name: string; readonly type: string; readonly text: string }

/** What a run is started with. */
export interface Question {
  readonly question: string
  readonly sources: readonly Source[]
}

/** What became of one source. A source that cannot be read does not fail the run. */
export interface SourceNote {
  readonly title: string
  /** Where people find it; absent for files. */
  readonly url?: string
  /** Characters that were read. */
  readonly chars: number
  readonly passages: number
  /** Why it could not be read, or was read in part. */
  readonly note?: string
  readonly ok: boolean
}

/** A piece of a source, short enough to be quoted. */
export interface Passage {
  /** Source and place in it, such as `3.12`. */
  readonly id: string
  readonly title: string
  readonly url?: string
  /** The headings above it, outermost first; empty when there are none. */
  readonly heading: string
  /** Markdown. */
  readonly text: string
}

/** A passage that fits the question; higher scores fit better. */
export interface Match {
  readonly id: string
  readonly score: number
}

/** One round: what was written, and what the person said about it. */
export interface Draft {
  readonly title: string
  readonly text: string
  /** The passages it was written from, best first. */
  readonly passages: readonly string[]
  /** Who wrote it: `quotations`, or the name of a model. */
  readonly writer: string
  readonly approved: boolean
  readonly remark?: string
}

/** What a draft is written from. */
export interface DraftRequest {
  readonly question: string
  /** Best first. */
  readonly passages: readonly Passage[]
  /** All remarks so far, one a line, newest last; empty in the first round. */
  readonly remark: string
  /** The draft that was sent back. */
  readonly previous: string | undefined
}

/** Writes drafts. */
export interface Writer {
  readonly name: string
  /** True when the writer can go on after this beginning of a draft. */
  continues(request: DraftRequest, text: string): boolean
  /** What follows `from`, piece by piece. */
  write(
    request: DraftRequest,
    options: { readonly signal: AbortSignal; readonly from: string },
  ): AsyncIterable<string>
}

/** Reads a document. Throws an error with `retryable: false` when trying again is useless. */
export type FetchText = (
  url: string,
  signal: AbortSignal,
) => Promise<{ readonly text: string; readonly type: string }>

/** What is published. */
export interface Brief {
  readonly run: string
  readonly title: string
  readonly text: string
}

/** What the ledger says about a publication. */
export interface Receipt {
  /** The how manyth publication of the ledger it is, from 1. */
  readonly number: number
}

/** The outside world that briefs are published to. */
export interface Publish {
  publish(brief: Brief, idempotencyKey: string, signal: AbortSignal): Promise<Receipt>
  /** Whether a publication with this key has arrived. */
  lookup(
    idempotencyKey: string,
    signal: AbortSignal,
  ): Promise<{ readonly done: true; readonly value: Receipt } | { readonly done: false }>
}

/** The state of a run. */
export interface AskState {
  question: string
  phase: 'read' | 'write' | 'publish'
  /** Empty once they have been read: what they said is in the passages. */
  sources: Source[]
  notes: SourceNote[]
  passages: Passage[]
  drafts: Draft[]
  /** The number of the publication, once there is one. */
  published: number | null
}

/** What a run ends with. */
export interface Published {
  readonly title: string
  readonly number: number
}
