import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { CloseIcon } from './icons.tsx'

interface DialogProps {
  readonly title: string
  readonly test: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A dialog over the page: Escape and a click beside it close it, and the focus goes back where it was. */
export function Dialog({ title, test, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const isShown = useRef(true)
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => {
      // The browser tells of it later, when another dialog may be there.
      isShown.current = false
      element?.close()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      data-test={test}
      aria-labelledby={`${test}-title`}
      onClose={() => {
        if (isShown.current) onClose()
      }}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close()
      }}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id={`${test}-title`}>{title}</h2>
          <button
            type="button"
            class="icon-button"
            aria-label="Close"
            data-test="close-dialog"
            onClick={() => dialog.current?.close()}
          >
            <CloseIcon />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  )
}
