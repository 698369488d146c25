import type { Operation } from '@waystone/access'
import { headers, limits } from '@waystone/core'
import { hashesBytesMax } from './blob-frames.ts'
import type { SchemaName } from './schemas.ts'

/** What a body or an answer is: JSON of a schema, or bytes of a media type. */
export type Content = { readonly schema: SchemaName } | { readonly media: string; readonly what: string }

/** A value beside the body. */
export interface Parameter {
  readonly in: 'query' | 'header'
  readonly schema: SchemaName
  readonly required?: true
  readonly what: string
}

/** One route of the edge: what it does, whom it lets in, what it takes and gives. */
export interface Route {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** `run`: below `/v1/runs/{run}`. `tenant`: below `/v1`, of all runs that the token is for. */
  readonly of: 'run' | 'tenant'
  readonly path: string
  /** Whoever asks needs one of these. */
  readonly needs: readonly Operation[]
  /** The token has to be for all runs of its tenant. */
  readonly allRuns?: true
  /** The token has to be for all runs of its tenant, or for all that are named after its subject: `SUBJECT.*`. */
  readonly allOwnRuns?: true
  readonly what: string
  readonly parameters?: Readonly<Record<string, Parameter>>
  /** `bytesMax`: a larger body is refused before it is read. */
  readonly body?: Content & { readonly bytesMax: number }
  /** The answer when all is well; without content it is 204. */
  readonly gives?: Content & { readonly headers?: Readonly<Record<string, string>> }
  /** When it is 204 although there is content otherwise. */
  readonly givesNothing?: string
  /** Codes beside those that every route may answer with. */
  readonly errors?: readonly string[]
}

const lines = 'Entries as they are stored, one a line, each ended by a line feed.'
const from = { in: 'query', schema: 'Count', what: 'The first entry wanted.' } as const
const device = { in: 'header', schema: 'RunId', required: true, what: 'The device that asks.' } as const
const blob = { media: 'application/octet-stream', what: 'The bytes of a blob.' } as const
/** Exports: lines, and too many of them to be had at once. */
export const exportMedia = 'application/vnd.waystone.export'
/** A push may have a page of lines and one more, whatever their size. */
const pushBytesMax = limits.pageBytesMax + limits.entryBytesMax + 1_000

/**
 * Every route that a client can reach: from this table they are served, guarded, described as OpenAPI, and tested. What is
 * not in it does not get to any object.
 */
export const routes = {
  pushEntries: {
    of: 'run',
    method: 'post',
    path: '/entries',
    needs: ['append'],
    what: 'Appends entries of the owner; all or nothing. Pushing the same ones again is fine. The body may be deflated (RFC 1951) under the media type `application/vnd.waystone.lines+deflate`, where an earlier answer had `waystone-accepts: deflate`.',
    parameters: {
      [headers.device]: device,
      [headers.base]: {
        in: 'header',
        schema: 'AnyHead',
        required: true,
        what: 'The entry that they follow.',
      },
    },
    body: {
      media: 'application/x-ndjson',
      what: lines,
      bytesMax: pushBytesMax,
    },
    gives: { schema: 'Pushed' },
    errors: ['entry_refused', 'log_damaged', 'format_newer'],
  },
  pullEntries: {
    of: 'run',
    method: 'get',
    path: '/entries',
    needs: ['read'],
    what: 'A page of the log. Without `from`, or where the log begins later, what one needs to begin a copy of it.',
    parameters: {
      [headers.device]: device,
      from,
      [headers.after]: {
        in: 'header',
        schema: 'Count',
        what: 'Instead of `from`, the entry before the first one wanted: a page of another origin asks for leave (preflight) by address, and this one stays the same.',
      },
    },
    gives: {
      media: 'application/x-ndjson',
      what: lines,
      headers: {
        [headers.head]: 'The last entry of the log, or `none`.',
        [headers.inbox]: 'How many items wait for the owner that asks.',
      },
    },
  },
  claim: {
    of: 'run',
    method: 'post',
    path: '/claim',
    needs: ['claim'],
    what: 'Changes the owner, at exactly the head and epoch that the claim names. Gives the entries from there on.',
    parameters: { [headers.device]: device },
    body: { schema: 'Claim', bytesMax: 100_000 },
    gives: { media: 'application/x-ndjson', what: lines },
    errors: ['run_unknown', 'head_moved', 'move_refused'],
  },
  hold: {
    of: 'run',
    method: 'post',
    path: '/hold',
    needs: ['claim'],
    what: 'Asks the owner to begin nothing for a while, so that it can be claimed. A successor is given the run at once, when its proof allows it, or is the edge itself: the last of the entries is its claim then.',
    parameters: {
      [headers.device]: { in: 'header', schema: 'RunId', what: 'The device that asks, for a successor.' },
    },
    body: { schema: 'Hold', bytesMax: 64_000 },
    gives: { schema: 'Held' },
    errors: ['run_unknown', 'move_refused'],
  },
  claimable: {
    of: 'run',
    method: 'get',
    path: '/claim',
    needs: ['read', 'claim'],
    what: 'As `/blockers`. A page of another origin that has asked here does not have to ask for leave (preflight) once more before it claims.',
    gives: { schema: 'Blockers' },
    errors: ['run_unknown'],
  },
  blockers: {
    of: 'run',
    method: 'get',
    path: '/blockers',
    needs: ['read', 'claim'],
    what: 'Why the run cannot go on at the edge; none when it can.',
    gives: { schema: 'Blockers' },
    errors: ['run_unknown'],
  },
  lendingKey: {
    of: 'run',
    method: 'get',
    path: '/lending-key',
    needs: ['claim'],
    what: 'The public key (P-256, uncompressed, base64) that the keys of the run are sealed for when it is encrypted and moved here; null when this edge borrows none.',
    gives: { schema: 'LendingKey' },
  },
  send: {
    of: 'run',
    method: 'post',
    path: '/inbox',
    needs: ['send', 'answer', 'append'],
    what: 'Sends the run a message, an answer or a command, once for each id. `answer` and `decide` need the operation `answer`; `message` and `interrupt` need `send`; `cancel`, `rewind` and `retry` need `append`. The time is that of the arrival; the sender is who the token is for.',
    body: { schema: 'InboxItem', bytesMax: limits.inboxItemBytesMax + 1_000 },
    errors: ['run_unknown', 'run_ended', 'ask_unknown', 'answer_taken'],
  },
  inbox: {
    of: 'run',
    method: 'get',
    path: '/inbox',
    needs: ['append'],
    what: 'What waits for the owner that asks; nothing for anybody else.',
    parameters: { [headers.device]: device },
    gives: { schema: 'Inbox' },
  },
  asks: {
    of: 'run',
    method: 'get',
    path: '/asks',
    needs: ['read', 'answer'],
    what: 'The questions of the run that wait for an answer.',
    gives: { schema: 'Asks' },
    errors: ['run_unknown'],
  },
  follow: {
    of: 'run',
    method: 'get',
    path: '/live',
    needs: ['read'],
    what: 'A WebSocket that tells of the run as it goes on. The token may be given as the subprotocol `token.` and its base64url, beside the subprotocol `waystone`. Whoever offers `waystone.runs` too has one socket for many runs: the run in the address is its subscription 0, each message begins with the number of its subscription and a space, and `N follow RUN FROM TOKEN` makes another, `N` being higher than all before and the token that of the socket when none is named; what begins with `mark ` is to be sent back as it is.',
    parameters: {
      device: { in: 'query', schema: 'RunId', required: true, what: 'The device that asks.' },
      from,
    },
  },
  events: {
    of: 'run',
    method: 'get',
    path: '/events',
    needs: ['read'],
    what: 'The run as server-sent events, with a cursor to come back with.',
    parameters: {
      from,
      [headers.after]: {
        in: 'header',
        schema: 'EventCursor',
        what: 'Instead of `from`, the id of the last event that one has: it goes on exactly there. An `EventSource` sends it by itself.',
      },
    },
    gives: { media: 'text/event-stream', what: 'Events of the run.' },
    givesNothing: 'The run has ended, and who asks was told so: there is nothing to come back for.',
    errors: ['run_unknown'],
  },
  checkpoints: {
    of: 'run',
    method: 'get',
    path: '/checkpoints',
    needs: ['read'],
    what: 'The checkpoints of the run, newest first: what its entries say of themselves, without its state. A page looks at a bounded part of the log: it may have fewer than `limit`, or none, and a `next`.',
    parameters: {
      label: { in: 'query', schema: 'Name', what: 'Those of this name.' },
      trigger: { in: 'query', schema: 'Trigger', what: 'Those that entries of this kind made.' },
      valid: {
        in: 'query',
        schema: 'Flag',
        what: '`true`: those that one can go back to. `false`: those that are damaged, or lack what was before them.',
      },
      from: {
        in: 'query',
        schema: 'Count',
        what: 'Written from then on, in ms since 1970, by the clock of its owner.',
      },
      to: { in: 'query', schema: 'Count', what: 'Written before then, in ms since 1970.' },
      limit: { in: 'query', schema: 'PageSize', what: 'Checkpoints on a page; default 50.' },
      after: { in: 'query', schema: 'Count', what: 'The `next` of the page before.' },
    },
    gives: { schema: 'CheckpointPage' },
    errors: ['run_unknown'],
  },
  exportRun: {
    of: 'run',
    method: 'get',
    path: '/export',
    needs: ['read'],
    what: 'The run as a file to keep or to import: lines of JSON, a header that names its blobs, then the entries as they are stored. Blobs are read one by one.',
    gives: { media: exportMedia, what: 'Lines of JSON, each ended by a line feed.' },
    errors: ['run_unknown'],
  },
  missingBlobs: {
    of: 'run',
    method: 'post',
    path: '/blobs/missing',
    needs: ['append'],
    what: 'Those of the hashes that the run has no blob of.',
    body: { schema: 'Hashes', bytesMax: hashesBytesMax },
    gives: { schema: 'Hashes' },
  },
  shareBlobs: {
    of: 'run',
    method: 'post',
    path: '/blobs/share',
    needs: ['append'],
    what: 'Gives the run blobs of another one, for which `fork` is needed; answers with the hashes that neither has.',
    body: { schema: 'Shared', bytesMax: hashesBytesMax },
    gives: { schema: 'Hashes' },
  },
  putBlob: {
    of: 'run',
    method: 'put',
    path: '/blobs/{hash}',
    needs: ['append'],
    what: 'Stores a blob under the SHA-256 of its bytes.',
    body: { ...blob, bytesMax: limits.blobBytesMax },
  },
  getBlob: {
    of: 'run',
    method: 'get',
    path: '/blobs/{hash}',
    needs: ['read'],
    what: 'A blob of the run.',
    gives: blob,
    errors: ['blob_missing'],
  },
  makeLink: {
    of: 'run',
    method: 'post',
    path: '/links',
    needs: ['share'],
    what: 'Makes a link to the run: a token to look on, or to see what it asks and answer. Nobody gives more than they may do.',
    body: { schema: 'LinkWanted', bytesMax: 1_000 },
    gives: { schema: 'LinkMade' },
    errors: ['run_unknown'],
  },
  links: {
    of: 'run',
    method: 'get',
    path: '/links',
    needs: ['share'],
    what: 'The links to the run, without their secrets.',
    gives: { schema: 'Links' },
    errors: ['run_unknown'],
  },
  revokeLink: {
    of: 'run',
    method: 'delete',
    path: '/links/{link}',
    needs: ['share'],
    what: 'Takes a link back, at once: who follows by it is cut off.',
  },
  keyring: {
    of: 'tenant',
    method: 'get',
    path: '/keyring',
    needs: ['read'],
    allOwnRuns: true,
    what: 'The keyring of whoever the token is for, or of the tenant: keys of encrypted runs, each wrapped for each of their devices. Null when there is none. The token has to be for all runs, or for all that are named after its subject.',
    gives: { schema: 'Keyring' },
  },
  putKeyring: {
    of: 'tenant',
    method: 'put',
    path: '/keyring',
    needs: ['append'],
    allOwnRuns: true,
    what: 'Keeps a keyring, whose version is one higher than that of the one before; where there is none, at most 2^31.',
    body: { schema: 'Keyring', bytesMax: 200_000 },
    errors: ['head_moved'],
  },
  listRuns: {
    of: 'tenant',
    method: 'get',
    path: '/runs',
    needs: ['read'],
    what: 'The runs of the tenant that the token is for: those that changed last come first, or by id when the token is for some runs only. Told of changes of status, not of every entry. A page may have fewer runs than `limit`, or none, and a `next`.',
    parameters: {
      status: { in: 'query', schema: 'Status', what: 'Runs of this status.' },
      agent: { in: 'query', schema: 'Name', what: 'Runs of this agent.' },
      place: { in: 'query', schema: 'Place', what: 'Runs whose owner is at such a place.' },
      label: { in: 'query', schema: 'Name', what: 'Runs with a checkpoint of this name.' },
      valid: {
        in: 'query',
        schema: 'Flag',
        what: '`false`: runs whose newest entries were found damaged, and have not come back.',
      },
      from: { in: 'query', schema: 'Count', what: 'Changed from then on, in ms since 1970.' },
      to: { in: 'query', schema: 'Count', what: 'Changed before then, in ms since 1970.' },
      limit: { in: 'query', schema: 'PageSize', what: 'Runs on a page; default 50.' },
      after: { in: 'query', schema: 'Cursor', what: 'The `next` of the page before.' },
    },
    gives: { schema: 'RunPage' },
  },
  search: {
    of: 'tenant',
    method: 'get',
    path: '/search',
    needs: ['read'],
    what: 'Entries of the runs that the token is for, by words in what they say: what the edge had last comes first. All words have to be in one entry; those in quotes one after the other; `*` at the end of a word stands for any end. A few seconds behind the runs. For tenants for whom search is switched on. A page may have fewer than `limit`, or none, and a `next`.',
    parameters: {
      q: { in: 'query', schema: 'Name', required: true, what: 'The words.' },
      limit: { in: 'query', schema: 'PageSize', what: 'Entries on a page; default 50.' },
      after: { in: 'query', schema: 'Cursor', what: 'The `next` of the page before.' },
    },
    gives: { schema: 'SearchPage' },
  },
  exportRuns: {
    of: 'tenant',
    method: 'get',
    path: '/export',
    needs: ['read'],
    what: 'The runs that the token is for, by their ids, each as by its own route. A line of kind `failed` stands for a run that could not be read, and one of kind `end` is the last: it has a `next` when there are more. Without it the answer broke off.',
    parameters: {
      limit: { in: 'query', schema: 'PageSize', what: 'Runs in one answer; default 50.' },
      after: {
        in: 'query',
        schema: 'RunId',
        what: 'The `next` of the answer before, or the last run that one has.',
      },
    },
    gives: { media: exportMedia, what: 'Lines of JSON, each ended by a line feed.' },
  },
  metrics: {
    of: 'tenant',
    method: 'get',
    path: '/metrics',
    needs: ['read'],
    allRuns: true,
    what: 'How many runs of each status the tenant has, in the text format of Prometheus. The token has to be for all runs.',
    gives: { media: 'text/plain', what: 'Metrics.' },
  },
  deleteTenant: {
    of: 'tenant',
    method: 'delete',
    path: '/runs',
    needs: ['delete'],
    allRuns: true,
    what: 'Deletes all runs of the tenant with all that the edge has of them. It goes on by itself: the list shows what is left. The token has to be for all runs.',
  },
  deleteRun: {
    of: 'run',
    method: 'delete',
    path: '',
    needs: ['delete'],
    what: 'Deletes the run with all that the edge has of it.',
  },
} as const satisfies Readonly<Record<string, Route>>

/** The name of a route, which is its `operationId` in the description. */
export type RouteName = keyof typeof routes

/** The routes with their names. */
export const routeList = Object.entries(routes) as readonly (readonly [RouteName, Route])[]

/** The address of a route, with parts in braces. */
export function pathOf({ of, path }: Route): string {
  return of === 'run' ? `/v1/runs/{run}${path}` : `/v1${path}`
}
