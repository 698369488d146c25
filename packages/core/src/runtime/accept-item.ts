import { WaystoneError } from '../errors.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import type { Inbox, InboxItem } from '../ports/inbox.ts'
import { isFamilyId } from './family-ids.ts'
import { askState } from './inbox-entries.ts'

/**
 * Puts an item into the inbox of a run, at its owner's device or at the edge. An answer to a question that is not open
 * is refused at once, and so is a second one. The same item again is fine. Rejects with `run_ended`, `ask_unknown`,
 * `answer_taken`, `limit_exceeded`, `request_refused` for an id that is not for it.
 */
export async function acceptItem(now: () => Fold, item: InboxItem, inbox: Inbox): Promise<void> {
  const fold = now()
  const { run } = fold
  // Whoever had such an id first would keep the cancel from coming.
  if (isFamilyId(item.id) && item.type !== 'cancel')
    throw new WaystoneError(
      'request_refused',
      `the id "${item.id}" is that of a cancel by the parent of run ${run}: give this ${item.type} another`,
      { run },
    )
  if (fold.consumed.has(item.id)) return
  if (isEnded(fold)) {
    throw new WaystoneError('run_ended', `run ${run} is ${fold.status}: it takes no more messages`, {
      run,
      actions: ['fork'],
    })
  }
  const asked = item.type === 'answer' ? askState(fold, item.ask) : 'open'
  if (asked === 'unknown') {
    throw new WaystoneError('ask_unknown', `run ${run} has no open question with this digest`, {
      run,
      actions: ['reload'],
    })
  }
  if (
    asked === 'answered' ||
    (await inbox.put(run, item)) === 'taken' ||
    (await wasLate(now(), item, inbox))
  ) {
    throw new WaystoneError(
      'answer_taken',
      `this question of run ${run} was answered already; the first answer counts`,
      { run, actions: ['reload'] },
    )
  }
}

/** True for an answer that another was recorded before, while this one was being stored. It is forgotten. */
async function wasLate(fold: Fold, item: InboxItem, inbox: Inbox): Promise<boolean> {
  if (item.type !== 'answer' || fold.consumed.has(item.id) || askState(fold, item.ask) !== 'answered')
    return false
  await inbox.remove(fold.run, [item.id])
  return true
}
