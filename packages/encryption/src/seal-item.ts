import { fromBase64, parseRunId, sealContent, type InboxContent, type InboxKey } from '@waystone/core'
import { sealFor } from './sealed-box.ts'

/**
 * What to send to the inbox of an encrypted run, for those who may write to it and cannot read it: the content, sealed for
 * the key that `asks` and the first entry of the run tell. `id` is the item's, chosen by the sender; sealed for it and
 * for this run, it is good for no other. Rejects with `input_refused` for a key that is none.
 *
 * @example
 * const { asks, inbox } = (await edge.GET('/v1/runs/{run}/asks', { params: { path: { run } } })).data
 * const item = await sealItem(inbox, { run, id }, { type: 'answer', ask: asks[0].ask, value: 'yes' })
 */
export function sealItem(
  inbox: InboxKey,
  { run, id }: { readonly run: string; readonly id: string },
  content: InboxContent,
): Promise<InboxContent> {
  const sealer = {
    sealItem: (publicKey: string, use: string, plain: Uint8Array) =>
      sealFor(fromBase64(publicKey), use, plain),
  }
  return sealContent(sealer, inbox, { run: parseRunId(run), id }, content)
}
