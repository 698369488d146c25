import type { AskView } from './state.ts'

/** A part of the way from question to published brief. */
export interface Stage {
  readonly name: string
  readonly state: 'done' | 'now' | 'next'
}

const names = ['Read', 'Rank', 'Draft', 'Approve', 'Publish'] as const

/** How far a run is. */
export function stagesOf({
  state,
  status,
  live,
  asks,
  streams,
}: Pick<AskView, 'state' | 'status' | 'live' | 'asks' | 'streams'>): readonly Stage[] {
  const at = ((): number => {
    if (status === 'done') return names.length
    if (state.phase === 'read') return 0
    if (state.phase === 'publish') return 4
    if (asks.length > 0) return 3
    return live.calls.some(({ kind }) => kind === 'stream') || Object.keys(streams).length > 0 ? 2 : 1
  })()
  return names.map((name, index) => ({ name, state: index < at ? 'done' : index === at ? 'now' : 'next' }))
}
