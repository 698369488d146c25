/** A change of the sources that makes them wrong in one way. */
export interface Plant {
  readonly name: string
  readonly patches: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
}

const core = 'packages/core/src'

/**
 * Bugs that the simulation has to find: each is put into the sources as they are loaded, never into the files. What is
 * to be found there must be there exactly once, so that a bug cannot stop being planted unnoticed.
 */
export const plants: readonly Plant[] = [
  {
    name: 'fence off',
    patches: [
      {
        file: `${core}/log/plan-append.ts`,
        find: 'return keep > headSeq ? { ok: true, keep, from: keep, lines: lines.slice(known), head: end } : refused',
        replace: 'return { ok: true, keep, from: keep, lines: lines.slice(known), head: end }',
      },
    ],
  },
  {
    name: 'keys by order',
    patches: [
      {
        file: `${core}/engine/scope.ts`,
        find: '      path: joinPath(scope, name),',
        replace:
          '      path: joinPath(scope.split("/")[0], `n${(attempt.order = (attempt.order ?? 0) + 1)}`),',
      },
    ],
  },
  {
    name: 'ack before commit',
    patches: [
      {
        file: `${core}/log/run-log.ts`,
        find: 'const appended = await this.#ports.store.append(this.run, { ...append, lines: appending.lines })',
        replace:
          'void this.#ports.store.append(this.run, { ...append, lines: appending.lines }); const appended = { ok: true }',
      },
    ],
  },
  {
    name: 'answer by path',
    patches: [
      {
        file: `${core}/engine/run-wait.ts`,
        find: "one.type === 'answer' && one.ask === ask)",
        replace: "one.type === 'answer')",
      },
      {
        file: `${core}/runtime/inbox-entries.ts`,
        find: "if (asked?.kind !== 'ask') return 'unknown'",
        replace: "if (asked?.kind !== 'ask') return 'open'",
      },
    ],
  },
  {
    name: 'key by run and path',
    patches: [
      {
        file: `${core}/engine/paths.ts`,
        find: 'return digestBytes(utf8(`${origin}\\n${path}`)) as Digest',
        replace: 'return digestBytes(utf8(path)) as Digest',
      },
    ],
  },
  {
    name: 'fence before duplicate',
    patches: [
      {
        file: `${core}/log/plan-append.ts`,
        find: 'if (known === lines.length && head)\n',
        replace: 'if (known === lines.length && head) return refused\n  if (false)\n',
      },
    ],
  },
  {
    name: 'live step before the barrier',
    patches: [
      {
        file: `${core}/engine/attempt.ts`,
        find: 'if (this.#live && !comes) this.#begin(call)',
        replace: 'this.#begin(call)',
      },
    ],
  },
  {
    name: 'blob after its entry',
    patches: [
      {
        file: `${core}/log/run-log.ts`,
        find: 'await this.#ports.blobs.put(this.run, hash, stored)\n    return hash',
        replace:
          'setImmediate(() => void this.#ports.blobs.put(this.run, hash, stored).catch(() => undefined))\n    return hash',
      },
    ],
  },
  {
    name: 'two mints of an epoch',
    patches: [
      {
        file: `${core}/log/run-log.ts`,
        find: "if (draft.kind === 'claim') epoch += 1",
        replace: '',
      },
      {
        file: `${core}/log/fold.ts`,
        find: 'entry.epoch !== fold.epoch + (claims ? 1 : 0)',
        replace: 'false',
      },
    ],
  },
  {
    name: 'inbox emptied on delivery',
    patches: [
      {
        file: `${core}/runtime/authority.ts`,
        find: 'return { head: this.#log.fold?.head, lines, inbox: run ? inbox : [] }',
        replace:
          'await this.#ports.inbox.remove(run, inbox.map(({ id }) => id)); return { head: this.#log.fold?.head, lines, inbox: run ? inbox : [] }',
      },
    ],
  },
  {
    name: 'forgotten once it was sent on',
    patches: [
      {
        file: `${core}/runtime/inbox-courier.ts`,
        find: 'this.#sent.add(item.id)\n    }',
        replace: 'this.#forget([item.id])\n    }',
      },
    ],
  },
  {
    name: 'write of a session that lost counts',
    patches: [
      {
        file: `${core}/session/session-host.ts`,
        find: "if (isWaystoneError(error, 'head_moved')) return undefined",
        replace: "if (isWaystoneError(error, 'head_moved')) return []",
      },
    ],
  },
  {
    name: 'effect begun again without asking',
    patches: [
      {
        file: `${core}/engine/run-once.ts`,
        find: 'if (before) return resolveUnknown(attempt, call, options, body, before)',
        replace: 'if (before) return start(attempt, call, options, body, before.body.key)',
      },
    ],
  },
  {
    name: 'oldest effect taken back first',
    patches: [
      {
        file: `${core}/runtime/unwinder.ts`,
        find: 'for (const effect of effects.toReversed()) {',
        replace: 'for (const effect of effects) {',
      },
    ],
  },
  {
    name: 'messages out of order',
    patches: [
      {
        file: `${core}/runtime/inbox-courier.ts`,
        find: 'inOrder(items: readonly InboxItem[]): readonly InboxItem[] {',
        replace:
          'inOrder(items: readonly InboxItem[]): readonly InboxItem[] {\n    return items.toReversed()',
      },
    ],
  },
  {
    name: 'end of a child told to nobody',
    patches: [
      {
        file: `${core}/runtime/run-family.ts`,
        find: "const news = isOver ? 'ended' :",
        replace: "const news = isOver ? '' :",
      },
    ],
  },
  {
    name: 'children outlive their parent',
    patches: [
      {
        file: `${core}/runtime/run-family.ts`,
        find: "return isOver && told === '' ? [{ run, role, told: 'cancelled' }] : []",
        replace: 'return []',
      },
    ],
  },
]

/** Each has to be found within so many seeds. */
export const plantSeedsMax = 4_000
