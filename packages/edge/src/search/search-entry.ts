import type { Head } from '@waystone/core'

/** The text of one entry. */
export interface EntryText {
  readonly seq: number
  readonly kind: string
  /** In ms since 1970, by the clock of its owner. */
  readonly time: number
  readonly text: string
}

/** What a shard is to have of a run. */
export interface IndexUpdate {
  readonly run: string
  /** How far it should have the run; undefined for one that it does not know. */
  readonly after: Head | undefined
  /** What it has of entries from this one on is replaced by these. */
  readonly from: number
  readonly entries: readonly EntryText[]
  /** What it has of entries before this one is forgotten: they were let go. */
  readonly first: number
  /** How far it has the run then. */
  readonly head: Head
}

/** What became of an update: one that a shard was not ready for changes nothing, and tells how far it has the run. */
export type IndexUpdated = { readonly ok: true } | { readonly ok: false; readonly head: Head | undefined }

/** A part of a text, and whether it is what was asked for. */
export interface SnippetPart {
  readonly text: string
  readonly match: boolean
}

/** An entry in which something was found. */
export interface SearchHit extends Omit<EntryText, 'text'> {
  readonly run: string
  readonly snippet: readonly SnippetPart[]
}

/** What a shard is asked. */
export interface ShardQuery {
  /** An expression of FTS5. */
  readonly match: string
  /** Which runs may be seen: ids, or what ids begin with and `*`. */
  readonly runs: readonly string[]
  /** Only what was indexed before this. */
  readonly before: number
  readonly limit: number
}

/** What a shard has found, newest first. */
export interface ShardFound {
  readonly hits: readonly (SearchHit & { readonly id: number })[]
  /** How far it has looked; undefined when there is nothing before that. */
  readonly end: number | undefined
}

/** One page of what was found. `next` is there when there may be more. */
export interface SearchPage {
  readonly hits: readonly SearchHit[]
  readonly next?: string
}

/** What runs tell the shard that has their text, and the worker asks it. */
export interface SearchCalls {
  /** `shard` is the number of the shard that is called. */
  put(shard: number, update: IndexUpdate): Promise<IndexUpdated>
  remove(run: string): Promise<void>
  find(query: ShardQuery): Promise<ShardFound>
}

/** The namespace of the class that `searchObject` made. */
export type SearchNamespace = DurableObjectNamespace<Rpc.DurableObjectBranded & SearchCalls>
