import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import { lostScopes, type Fold, type TurnRecord } from '../log/fold.ts'
import type { Digest } from '../ids.ts'
import type { Budget, InboxItem } from '../ports/inbox.ts'

type Refusal = Extract<EntryDraft, { kind: 'refuse' }>

/** The ids of inbox items that an entry consumes. */
export function consumedBy(entry: Entry): readonly string[] {
  if (entry.kind === 'answer') return entry.body.answer.status === 'answered' ? [entry.body.answer.id] : []
  if (entry.kind === 'drain') return entry.body.items.map(({ id }) => id)
  const { body } = entry
  return 'id' in body && typeof body.id === 'string' ? [body.id] : []
}

/** A question of the open turn: whether it waits, and whose answer was first. */
export function askState(fold: Fold, ask: Digest): 'open' | 'answered' | 'unknown' {
  const asked = fold.records.find((record) => record.kind === 'ask' && record.digest === ask)
  if (asked?.kind !== 'ask') return 'unknown'
  // A question of a branch that lost a race.
  const { path } = asked.body
  if (fold.records.flatMap(lostScopes).some((scope) => path.startsWith(scope))) return 'unknown'
  return fold.records.some((record) => record.kind === 'answer' && record.body.ask === ask)
    ? 'answered'
    : 'open'
}

/** The questions that wait for an answer. */
export function openAsks(fold: Fold): readonly Extract<TurnRecord, { kind: 'ask' }>[] {
  return fold.records.filter(
    (record): record is Extract<TurnRecord, { kind: 'ask' }> =>
      record.kind === 'ask' && askState(fold, record.digest) === 'open',
  )
}

/** Why an item cannot be used now and never will be, as the entry that says so. */
export function refusalOf(item: InboxItem, fold: Fold): readonly Refusal[] {
  const reason = whyRefused(item, fold)
  return reason === undefined ? [] : [refuse(item, reason)]
}

/** The entry that carries out a control item, or refuses it; undefined for items that wait for the turn to take them. */
export function controlEntry(item: InboxItem, fold: Fold): EntryDraft | undefined {
  const { id, by } = item
  if (item.sealed) return refusalOf(item, fold)[0]
  switch (item.type) {
    case 'cancel': {
      const { reason } = item
      if (!item.undo) return { kind: 'cancel', body: { id, by, reason } }
      return { kind: 'unwind', body: { id, by, to: -1, undo: true, goal: 'cancel', reason } }
    }
    case 'rewind': {
      const refused = whyRefused(item, fold)
      if (refused !== undefined) return refuse(item, refused)
      const edited = item.state === undefined ? {} : { state: item.state }
      return {
        kind: 'unwind',
        body: { id, by, to: item.seq, undo: item.undo ?? false, goal: 'rewind', ...edited },
      }
    }
    case 'retry': {
      if (fold.status !== 'paused') return refuse(item, 'the run is not paused')
      const drop = fold.pause?.drop
      const budget = allowance(item, fold)
      return {
        kind: 'retry',
        body: { id, by, ...(drop === undefined ? {} : { drop }), ...(budget ? { budget } : {}) },
      }
    }
    case 'decide':
      if (fold.status !== 'paused' || fold.pause?.reason !== 'outcome')
        return refuse(item, 'no effect waits for a decision')
      return { kind: 'decide', body: { id, by, start: item.start, decision: item.decision } }
    case 'interrupt':
      // An open turn hears of it once it has been replayed.
      return fold.records.length > 0 && fold.status !== 'paused'
        ? undefined
        : refuse(item, 'no turn was running')
    default:
      return refusalOf(item, fold)[0]
  }
}

/** What a run may use from a retry on, when that allows it anything: limits that the retry does not name stay. */
function allowance(item: Extract<InboxItem, { type: 'retry' }>, fold: Fold): Budget | undefined {
  if (item.budget === undefined && fold.pause?.reason !== 'budget') return undefined
  return { ...fold.budget?.limits, ...item.budget }
}

function whyRefused(item: InboxItem, fold: Fold): string | undefined {
  if (item.sealed) return 'it was not sealed for this run'
  switch (item.type) {
    case 'answer': {
      const state = askState(fold, item.ask)
      if (state === 'open') return undefined
      return state === 'answered' ? 'the question was answered already' : 'the question is not open'
    }
    case 'rewind':
      if (item.turn !== undefined && (fold.status !== 'paused' || fold.turn !== item.turn))
        return `the run is not paused in turn ${String(item.turn)}`
      return item.seq >= 0 && item.seq <= fold.head.seq
        ? undefined
        : `the log has no entry ${String(item.seq)}`
    case 'retry':
    case 'decide':
      return fold.status === 'paused' ? undefined : 'the run is not paused'
    default:
      return undefined
  }
}

function refuse(item: InboxItem, reason: string): Refusal {
  return { kind: 'refuse', body: { id: item.id, type: item.type, reason } }
}
