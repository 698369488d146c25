import { limits } from '@waystone/core'

/** A JSON Schema, as OpenAPI 3.1 has them. */
export type JsonSchema = Readonly<Record<string, unknown>>

const text = { type: 'string', minLength: 1, maxLength: limits.nameCharsMax } as const
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const
const id = { type: 'string', pattern: '^[A-Za-z0-9._~-]{1,100}$' } as const
const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const
const head = { type: 'string', pattern: '^\\d{1,15}:[0-9a-f]{64}$' } as const
const anyHead = { type: 'string', pattern: '^(none|\\d{1,15}:[0-9a-f]{64})$' } as const

const place = { enum: ['browser', 'page', 'edge'] } as const
const use = { enum: ['read', 'answer'] } as const
const amount = { type: 'number', minimum: 0 } as const
const openCall = object({ path: { type: 'string' }, family: { enum: ['step', 'once'] }, input: digest }, [
  'input',
])
/** What whoever takes a run over has replayed, and the calls that wait for their outcome there. */
const proof = object(
  {
    head,
    version: count,
    rules: count,
    open: { type: 'array', items: openCall, maxItems: limits.openCallsMax },
  },
  ['open'],
)
const link = { id: text, use, by: text, time: count, until: count } as const

/** An object of these fields, all required but those that are named. Others are passed over. */
function object(properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []): JsonSchema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
  }
}

function item(
  type: string,
  fields: Readonly<Record<string, unknown>>,
  optional?: readonly string[],
): JsonSchema {
  const sealed = object({ key: text, box: { type: 'string' } })
  return object({ type: { const: type }, id: text, by: text, time: count, ...fields, sealed }, [
    ...(optional ?? []),
    'sealed',
  ])
}

/** What a run may use from here on: limits that are not named stay. */
const budget = object({ steps: count, ms: count, cost: amount }, ['steps', 'ms', 'cost'])

/** What the bodies and answers of the routes have in common. */
export const schemas = {
  Error: object(
    {
      code: { type: 'string', description: 'Stable: match on it.' },
      message: { type: 'string', description: 'For people; may change.' },
      run: id,
      path: { type: 'string' },
      details: {},
      actions: { type: 'array', items: { type: 'string' } },
    },
    ['run', 'path', 'details', 'actions'],
  ),
  RunId: id,
  Digest: digest,
  Head: { ...head, description: 'The last entry: its sequence number and digest.' },
  AnyHead: anyHead,
  Count: count,
  Name: text,
  Flag: { enum: ['true', 'false'] },
  PageSize: { type: 'integer', minimum: 1, maximum: limits.listRunsMax },
  Cursor: { type: 'string', maxLength: 200 },
  EventCursor: { type: 'string', pattern: '^(-1|\\d{1,15})(;[^=;]+=\\d{1,15}\\.\\d{1,15})*(;end)?$' },
  Place: place,
  Status: { enum: ['running', 'waiting', 'paused', 'moving', 'done', 'failed', 'cancelled'] },
  Hashes: object({ hashes: { type: 'array', items: digest } }),
  Keyring: object({
    keyring: {
      ...object({ version: { ...count, minimum: 1 } }),
      type: ['object', 'null'],
      description: 'As `@waystone/encryption` writes it.',
    },
  }),
  LendingKey: object({ key: { type: ['string', 'null'] } }),
  Shared: object({ from: id, hashes: { type: 'array', items: digest } }),
  Pushed: {
    oneOf: [
      object({ ok: { const: true }, head }),
      object({ ok: { const: false }, code: { const: 'head_moved' }, head: anyHead }),
      object({
        ok: { const: false },
        code: { const: 'blob_missing' },
        hashes: { type: 'array', items: digest },
      }),
    ],
  },
  Claim: object(
    {
      base: head,
      epoch: count,
      owner: id,
      place,
      reason: { enum: ['moved', 'expired', 'forced'] },
      proof,
      lent: {
        type: 'string',
        description: 'The keys of an encrypted run, sealed for the lending key of this edge.',
      },
      tail: {
        ...object({ base: anyHead, lines: { type: 'array', items: { type: 'string' } } }),
        description: 'The last entries of the owner, stored first; needs the operation `append`.',
      },
    },
    ['proof', 'lent', 'tail'],
  ),
  Hold: object(
    {
      ms: { type: 'integer', minimum: 0, maximum: 15_000 },
      from: { ...count, description: 'The first entry wanted; needs the operation `read`.' },
      successor: {
        ...object({ owner: id, place, proof }),
        description:
          'The device that asks, when it goes on with the run, or `edge`: then the owner moves it there.',
      },
    },
    ['ms', 'from', 'successor'],
  ),
  Held: object({ head, lines: { type: 'array', items: { type: 'string' } } }),
  Blockers: object({ blockers: { type: 'array', items: { type: 'string' } } }),
  InboxItem: {
    oneOf: [
      item('message', { name: text, value: {} }),
      item('answer', { ask: digest, value: {} }),
      item('interrupt', {}),
      item('retry', { budget }, ['budget']),
      item('cancel', { reason: { type: 'string' }, undo: { type: 'boolean' } }, ['reason', 'undo']),
      item('rewind', { seq: count, undo: { type: 'boolean' }, state: {}, turn: count }, [
        'undo',
        'state',
        'turn',
      ]),
      item('decide', {
        start: digest,
        decision: {
          oneOf: [
            object({ type: { const: 'done' }, value: {} }, ['value']),
            object({ type: { const: 'again' } }),
            object({ type: { const: 'failed' }, message: { type: 'string' } }, ['message']),
          ],
        },
      }),
    ],
  },
  Inbox: object({ items: { type: 'array', items: { $ref: '#/components/schemas/InboxItem' } } }),
  Asks: object(
    {
      asks: {
        type: 'array',
        items: object(
          {
            ask: { ...digest, description: 'What an answer names.' },
            path: { type: 'string' },
            question: { description: 'As the run wrote it.' },
            due: { ...count, description: 'When it is too late, in ms since 1970.' },
          },
          ['due'],
        ),
      },
      inbox: {
        ...object({ key: text, publicKey: text }),
        description: 'Of an encrypted run: what an answer is sealed for.',
      },
    },
    ['inbox'],
  ),
  LinkWanted: object(
    {
      use,
      ms: { ...count, minimum: 1_000, description: 'How long it is valid; default and most 30 days.' },
    },
    ['ms'],
  ),
  Link: object(link, ['by', 'until']),
  LinkMade: object(
    { ...link, token: { type: 'string', description: 'Told this once: the run keeps a digest of it.' } },
    ['by', 'until'],
  ),
  Links: object({ links: { type: 'array', items: { $ref: '#/components/schemas/Link' } } }),
  Run: object({
    run: id,
    agent: text,
    status: { $ref: '#/components/schemas/Status' },
    place: { $ref: '#/components/schemas/Place' },
    owner: id,
    labels: { type: 'array', items: { type: 'string' } },
    valid: {
      type: 'boolean',
      description:
        'False from when its newest entries are found damaged, until they come back from a device or somebody decides to go on without them.',
    },
    started: { ...count, description: 'By the clock of who began it, in ms since 1970.' },
    updated: { ...count, description: 'When anything here changed, in ms since 1970.' },
  }),
  RunPage: object(
    {
      runs: { type: 'array', items: { $ref: '#/components/schemas/Run' } },
      next: { type: 'string', description: 'There when there is more: the `after` of the next page.' },
    },
    ['next'],
  ),
  Trigger: { enum: ['start', 'fork', 'commit', 'put', 'rewind', 'migrate', 'edit', 'label', 'snapshot'] },
  Checkpoint: object(
    {
      seq: count,
      digest,
      time: { ...count, description: 'By the clock of its owner, in ms since 1970.' },
      trigger: { type: 'string', description: 'The kind of its entry.' },
      label: { type: 'string' },
      turn: { ...count, description: 'The turn that begins or goes on there, where its entry says so.' },
      whole: { type: 'boolean', description: 'True where its entry says that no turn is open.' },
      valid: {
        type: 'boolean',
        description:
          'True when one can go back there: it is stored as it was written, and the log is kept up to it.',
      },
      owner: { ...id, description: 'Who wrote it; not there where only a snapshot of it is left.' },
      epoch: count,
      term: count,
    },
    ['label', 'turn', 'owner', 'epoch', 'term'],
  ),
  CheckpointPage: object(
    {
      checkpoints: { type: 'array', items: { $ref: '#/components/schemas/Checkpoint' } },
      next: { type: 'string', description: 'There when there may be more: the `after` of the next page.' },
    },
    ['next'],
  ),
  Snippet: {
    type: 'array',
    items: object({
      text: { type: 'string' },
      match: { type: 'boolean', description: 'True for what was asked for.' },
    }),
  },
  SearchHit: object({
    run: id,
    seq: { ...count, description: 'The entry.' },
    kind: { type: 'string', description: 'Of the entry.' },
    time: { ...count, description: 'By the clock of its owner, in ms since 1970.' },
    snippet: { $ref: '#/components/schemas/Snippet' },
  }),
  SearchPage: object(
    {
      hits: { type: 'array', items: { $ref: '#/components/schemas/SearchHit' } },
      next: { type: 'string', description: 'There when there may be more: the `after` of the next page.' },
    },
    ['next'],
  ),
  Health: object({ ok: { const: true } }),
} as const satisfies Readonly<Record<string, JsonSchema>>

/** The name of a schema. */
export type SchemaName = keyof typeof schemas
