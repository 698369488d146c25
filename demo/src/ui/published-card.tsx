import type { JSX } from 'preact'
import { download } from '../page/actions.ts'
import { page, type AskView, type LedgerCount } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { DownloadIcon } from './icons.tsx'

/** The end of a run: the brief, and what the ledger outside says about it. */
export function PublishedCard({ view }: { readonly view: AskView }): JSX.Element {
  const ledger = useStore(page, (state) => state.ledger)
  if (view.status !== 'done') return <></>
  const number = view.result?.number ?? 0
  return (
    <section class="card published-card" data-test="published">
      <div>
        <h2>{number > 0 ? `Published as number ${String(number)}` : 'Published'}</h2>
        <p class="ledger" data-test="ledger" data-effects={ledger?.effects} data-starts={ledger?.starts}>
          {ledger === undefined ? 'The ledger cannot be asked now.' : ledgerWords(ledger)}
        </p>
      </div>
      <button type="button" data-test="download" onClick={() => void download()}>
        <DownloadIcon />
        Download the brief
      </button>
    </section>
  )
}

function ledgerWords({ effects, starts }: LedgerCount): string {
  const times = effects === 1 ? '1 time' : `${String(effects)} times`
  const requests = starts === 1 ? '1 request' : `${String(starts)} requests`
  return `The ledger says: published ${times}, ${requests}.`
}
