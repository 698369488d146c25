import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useModel as takeModel } from '../page/model.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { parseModel } from '../page/worker-settings.ts'
import { Dialog } from './dialog.tsx'

/** Who writes the drafts: quotations, or a language model at an address of your choice. */
export function SettingsDialog(): JSX.Element {
  const model = useStore(page, (state) => state.model)
  const edgeWriter = useStore(page, (state) => state.edgeWriter)
  const [url, setUrl] = useState(model?.url ?? '')
  const [name, setName] = useState(model?.model ?? '')
  const [key, setKey] = useState(model?.key ?? '')
  const close = (): void => page.set({ dialog: undefined })
  const take = (settings: unknown): void => {
    close()
    void takeModel(parseModel(settings))
  }
  return (
    <Dialog title="Who writes the drafts" test="settings-dialog" onClose={close}>
      <p>
        Without a model, a draft is put together from quotations. Any endpoint that speaks the OpenAI protocol
        will do, also one on this machine.
      </p>
      <form
        class="settings"
        onSubmit={(event) => {
          event.preventDefault()
          take({ url: url.trim(), model: name.trim(), key: key.trim() })
        }}
      >
        <label>
          Address
          <input
            data-test="model-url"
            type="url"
            required
            placeholder="http://localhost:11434/v1"
            value={url}
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
        </label>
        <label>
          Model
          <input
            data-test="model-name"
            type="text"
            required
            placeholder="llama3.3"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label>
          Key, if it asks for one
          <input
            data-test="model-key"
            type="password"
            autocomplete="off"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <p class="hint">
          Kept in this tab only, and never in a run. The edge has settings of its own: it uses{' '}
          {edgeWriter === undefined ? 'what its owner chose' : edgeWriter}.
        </p>
        <div class="button-row">
          <button type="submit" class="primary" data-test="model-save">
            Use this model
          </button>
          <button
            type="button"
            data-test="model-clear"
            disabled={model === undefined}
            onClick={() => take(undefined)}
          >
            Use quotations
          </button>
        </div>
      </form>
    </Dialog>
  )
}
