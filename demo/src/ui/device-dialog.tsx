import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { encode } from 'uqr'
import { linkToRun } from '../page/address.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { Dialog } from './dialog.tsx'

/** Opens the shown run on another device: a link and the same as a QR code. */
export function DeviceDialog(): JSX.Element {
  const run = useStore(page, (state) => state.run)
  const token = useStore(page, (state) => state.token)
  const seen = useStore(page, (state) => state.view?.sync.synced)
  const [copied, setCopied] = useState(false)
  const close = (): void => page.set({ dialog: undefined })
  if (run === undefined || token === undefined) {
    return (
      <Dialog title="Open on another device" test="device-dialog" onClose={close}>
        <p>This browser has no edge, and devices meet there. Open the address that npm start prints.</p>
      </Dialog>
    )
  }
  const link = linkToRun(location.origin, run, seen, token)
  const local = /^(localhost|127\.|\[::1\])/.test(location.hostname)
  return (
    <Dialog title="Open on another device" test="device-dialog" onClose={close}>
      <p>Scan this, or open the link. Both devices show the same run, live, and either can answer it.</p>
      <QrCode text={link} />
      <div class="copy-row">
        <input
          type="text"
          readOnly
          value={link}
          aria-label="Link to this run"
          data-test="device-link"
          onFocus={(event) => event.currentTarget.select()}
        />
        <button
          type="button"
          data-test="copy-link"
          onClick={() => {
            void navigator.clipboard?.writeText(link).then(() => setCopied(true))
          }}
        >
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      {local && (
        <p class="warning">
          This address works on this machine only. For a phone, start with <code>npm start -- --lan</code> and
          open the address on this network.
        </p>
      )}
      <p class="hint">The link has your token: who has it can read and steer your runs.</p>
    </Dialog>
  )
}

function QrCode({ text }: { readonly text: string }): JSX.Element {
  const { data, size } = useMemo(() => encode(text, { border: 2 }), [text])
  const path = data
    .flatMap((row, y) => row.flatMap((dark, x) => (dark ? `M${String(x)} ${String(y)}h1v1h-1z` : [])))
    .join('')
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${String(size)} ${String(size)}`}
      role="img"
      aria-label="QR code of the link"
      shape-rendering="crispEdges"
      data-test="qr"
    >
      <path d={path} />
    </svg>
  )
}
