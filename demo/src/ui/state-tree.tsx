import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { changedByLastCommit, type Changed } from '../page/changed.ts'
import { page, type AskView } from '../page/state.ts'
import { useStore } from '../page/store.ts'

/** The committed state as a tree; what the last commit changed is marked. */
export function StateTree({ view }: { readonly view: AskView }): JSX.Element {
  const entries = useStore(page, (state) => state.entries)
  const commits = view.turn
  const changed = useMemo(() => changedByLastCommit(entries), [commits, view.run])
  const result = view.status === 'done' ? view.result : undefined
  return (
    <div class="state" data-test="state">
      <p class="hint">
        {commits === 0
          ? 'Nothing is committed yet: this is the state the run began with.'
          : `After turn ${String(commits)}. What its commit changed is marked.`}
      </p>
      <ul class="tree">
        <Node name="state" value={view.state} path={[]} changed={changed} open />
        {result !== undefined && (
          <Node name="result" value={result} path={['result of the run']} changed={changed} />
        )}
      </ul>
    </div>
  )
}

interface NodeProps {
  readonly name: string
  readonly value: unknown
  readonly path: readonly (string | number)[]
  readonly changed: Changed
  readonly open?: boolean
}

const pageSize = 50

function Node({ name, value, path, changed, open = false }: NodeProps): JSX.Element {
  const key = JSON.stringify(path)
  const exact = changed.exact.has(key)
  const above = changed.above.has(key)
  const [shown, setShown] = useState<boolean>()
  const [count, setCount] = useState(pageSize)
  const isOpen = shown ?? (open || (above && path.length < 2))
  const look = exact ? 'changed' : above ? 'changed-inside' : undefined
  const mark = exact && <span class="hidden"> (changed)</span>
  if (typeof value !== 'object' || value === null) {
    return (
      <li class={look}>
        <span class="tree-name">{name}</span>
        <Leaf value={value} />
        {mark}
      </li>
    )
  }
  const items = Object.entries(value)
  return (
    <li class={look}>
      <button type="button" class="tree-toggle" aria-expanded={isOpen} onClick={() => setShown(!isOpen)}>
        <span class="tree-arrow" aria-hidden="true" />
        <span class="tree-name">{name}</span>
        <span class="tree-count">
          {Array.isArray(value) ? `${String(items.length)} items` : isOpen ? '' : preview(items)}
        </span>
        {mark}
      </button>
      {isOpen && (
        <ul>
          {items.slice(0, count).map(([inner, one]) => (
            <Node
              key={inner}
              name={inner}
              value={one}
              path={[...path, Array.isArray(value) ? Number(inner) : inner]}
              changed={changed}
            />
          ))}
          {items.length > count && (
            <li>
              <button type="button" class="quiet" onClick={() => setCount(count + pageSize)}>
                {items.length - count} more
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  )
}

function Leaf({ value }: { readonly value: unknown }): JSX.Element {
  if (typeof value !== 'string') return <span class="tree-value">{String(value)}</span>
  if (value.length <= 80 && !value.includes('\n')) return <span class="tree-value text">{value}</span>
  return (
    <details class="tree-long">
      <summary>
        {value.slice(0, 60)}… <span class="tree-count">{value.length.toLocaleString()} characters</span>
      </summary>
      <pre>{value}</pre>
    </details>
  )
}

function preview(items: readonly (readonly [string, unknown])[]): string {
  const title = items.find(([key]) => key === 'title' || key === 'heading')?.[1]
  return typeof title === 'string' ? title : `${String(items.length)} properties`
}
