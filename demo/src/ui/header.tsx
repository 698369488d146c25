import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { keep } from '../page/address.ts'
import { keptTheme } from '../page/open-page.ts'
import { page } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { GearIcon, MoonIcon, SunIcon, Waystones } from './icons.tsx'

/** The top of the page: what this is, whether the edge is there, who writes, light or dark. */
export function Header(): JSX.Element {
  return (
    <header class="top">
      <div class="brand">
        <Waystones />
        <div>
          <p class="name">Waystone</p>
          <p class="tagline">Agent runs that survive</p>
        </div>
      </div>
      <div class="top-facts">
        <EdgeFact />
        <WriterFact />
      </div>
      <div class="top-buttons">
        <button
          type="button"
          class="icon-button"
          data-test="settings"
          aria-label="Settings of the writer"
          title="Settings of the writer"
          onClick={() => page.set({ dialog: 'settings' })}
        >
          <GearIcon />
        </button>
        <ThemeButton />
      </div>
    </header>
  )
}

function EdgeFact(): JSX.Element {
  const edge = useStore(page, (state) => (state.online ? state.edge : 'away'))
  const words = {
    none: 'No edge: all stays in this browser',
    asking: 'Looking for the edge',
    ready: 'Edge connected',
    refused: 'The edge refuses this browser',
    away: 'Edge out of reach',
  }[edge]
  return (
    <span class={`fact edge-${edge}`} data-test="edge">
      <span class="dot" aria-hidden="true" />
      {words}
    </span>
  )
}

function WriterFact(): JSX.Element {
  const here = useStore(page, ({ model }) => model?.model ?? 'quotations')
  const there = useStore(page, ({ edgeWriter }) => edgeWriter)
  const words =
    there === undefined || there === here ? `Drafts: ${here}` : `Drafts: ${here} here, ${there} at the edge`
  return (
    <span
      class="fact writer-fact"
      data-test="writer"
      title="Quotations need no language model. Choose one in the settings."
    >
      {words}
    </span>
  )
}

function ThemeButton(): JSX.Element {
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  const [theme, setTheme] = useState(keptTheme() ?? system)
  const other = theme === 'dark' ? 'light' : 'dark'
  const change = (): void => {
    document.documentElement.dataset['theme'] = other
    keep('waystone theme', other)
    setTheme(other)
  }
  return (
    <button
      type="button"
      class="icon-button"
      data-test="theme"
      aria-label={`Change to ${other} colours`}
      title={`Change to ${other} colours`}
      onClick={change}
    >
      {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
    </button>
  )
}
