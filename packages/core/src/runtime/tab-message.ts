import type { RunId } from '../ids.ts'
import type { WatchEvent } from '../ports/watch.ts'

/** What hosts of one store tell each other. The log is the truth: a lost message delays, it does not lose. */
export type TabMessage =
  /** A run was started, or came from elsewhere. */
  | { readonly type: 'run'; readonly run: RunId }
  /** A host has begun to follow: the writer tells it what goes on. */
  | { readonly type: 'hello'; readonly run: RunId }
  /** The log has grown: read it. */
  | { readonly type: 'appended'; readonly run: RunId }
  /** The inbox has something new for the writer. */
  | { readonly type: 'inbox'; readonly run: RunId }
  /** What the writer tells beside the log. */
  | { readonly type: 'event'; readonly run: RunId; readonly event: WatchEvent }
  /** Asks the writer to move a run to the edge, and its answer. */
  | { readonly type: 'move'; readonly run: RunId; readonly id: string; readonly drainMs: number }
  | { readonly type: 'moved'; readonly run: RunId; readonly id: string; readonly error?: unknown }
