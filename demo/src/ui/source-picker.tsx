import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { titleOf } from '../agent/list-sources.ts'
import type { Source } from '../agent/types.ts'
import { sourceFromAddress, sourcesFromFiles } from '../page/added-sources.ts'
import type { DefaultSource } from '../page/state.ts'
import { byteSize } from '../page/words.ts'
import { CloseIcon, DocumentIcon } from './icons.tsx'

interface SourcePickerProps {
  readonly defaults: readonly DefaultSource[]
  readonly added: readonly Source[]
  /** Addresses of default sources that are not to be read. */
  readonly left: ReadonlySet<string>
  readonly onAdded: (sources: readonly Source[]) => void
  readonly onLeft: (left: ReadonlySet<string>) => void
}

/** What the agent will read: the documents that came along, addresses and files. */
export function SourcePicker({ defaults, added, left, onAdded, onLeft }: SourcePickerProps): JSX.Element {
  const [address, setAddress] = useState('')
  const [told, setTold] = useState('')
  const [over, setOver] = useState(false)
  const count = defaults.length - left.size + added.length

  const addAddress = (): void => {
    const source = sourceFromAddress(address)
    setTold(source === undefined ? 'This is no address of a web page.' : '')
    if (source === undefined) return
    onAdded([...added, source])
    setAddress('')
  }
  const addFiles = async (files: Iterable<File>): Promise<void> => {
    const { sources, refused } = await sourcesFromFiles(files)
    setTold(refused.length === 0 ? '' : `Not read, since it is no text or too large: ${refused.join(', ')}`)
    onAdded([...added, ...sources])
  }
  const toggle = (url: string): void => {
    const next = new Set(left)
    if (!next.delete(url)) next.add(url)
    onLeft(next)
  }

  return (
    <details
      class={over ? 'sources over' : 'sources'}
      data-test="sources"
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        void addFiles([...(event.dataTransfer?.files ?? [])])
      }}
    >
      <summary>
        <DocumentIcon />
        {count === 1 ? '1 source' : `${String(count)} sources`} to read
        <span class="hint">
          <span class="drop-hint">drop files here, or </span>open to change
        </span>
      </summary>
      <ul class="source-list">
        {defaults.map(({ url, title, bytes }) => (
          <li key={url}>
            <label>
              <input type="checkbox" checked={!left.has(url)} onChange={() => toggle(url)} />
              <span>{title}</span>
              <span class="size">{byteSize(bytes)}</span>
            </label>
          </li>
        ))}
        {added.map((source, index) => (
          <li key={`${titleOf(source)} ${String(index)}`} class="added" data-test="added-source">
            <span>{titleOf(source)}</span>
            <button
              type="button"
              class="icon-button small"
              aria-label={`Remove ${titleOf(source)}`}
              onClick={() => onAdded(added.filter((one) => one !== source))}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <div class="add-row">
        <label class="hidden" for="add-url">
          Address of a page to read
        </label>
        <input
          id="add-url"
          data-test="add-url"
          type="text"
          inputMode="url"
          placeholder="https://…"
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return
            event.preventDefault()
            addAddress()
          }}
        />
        <button
          type="button"
          data-test="add-url-button"
          onClick={addAddress}
          disabled={address.trim() === ''}
        >
          Add
        </button>
      </div>
      <label class="file-button">
        Add files: Markdown, text, HTML
        <input
          type="file"
          multiple
          data-test="add-files"
          accept=".md,.mdx,.markdown,.txt,.html,.htm,text/*"
          onChange={(event) => {
            const { files } = event.currentTarget
            if (files) void addFiles([...files])
            event.currentTarget.value = ''
          }}
        />
      </label>
      <p class="told" role="status">
        {told}
      </p>
    </details>
  )
}
