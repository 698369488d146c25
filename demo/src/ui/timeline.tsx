import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { forkFrom, showEarlier } from '../page/actions.ts'
import { page, type AskView } from '../page/state.ts'
import { useStore } from '../page/store.ts'
import { startOfNewest, timelineOf, type Row, type TurnRows } from '../page/timeline.ts'
import { byteSize, duration } from '../page/words.ts'
import { CloudIcon, ForkIcon } from './icons.tsx'

/** How many turns are shown at first, and how many more at each asking: a run may have thousands. */
const turnsAtATime = 20

/** The newest turns of a run's log, with what is under way at its end. */
export function Timeline({ view }: { readonly view: AskView }): JSX.Element {
  const entries = useStore(page, (state) => state.entries)
  const began = useStore(page, (state) => state.began)
  const isForking = useStore(page, (state) => state.busy === 'fork')
  const [turnsMax, setTurnsMax] = useState(turnsAtATime)
  const { live, turn, status } = view
  const calls = status === 'running' || status === 'waiting' || status === 'moving' ? live.calls : noCalls
  const turns = useMemo(
    () => timelineOf(entries, calls, turn, began, turnsMax),
    [entries, calls, turn, began, turnsMax],
  )
  const isAllShown = startOfNewest(entries, turnsMax) === 0
  const isAllThere = (entries[0]?.seq ?? 0) === 0
  const showMore = (): void => {
    setTurnsMax(turnsMax + turnsAtATime)
    if (isAllShown) void showEarlier()
  }
  const end = useRef<HTMLDivElement>(null)
  const count = turns.reduce((sum, { rows }) => sum + rows.length, 0)
  useEffect(() => {
    const box = end.current?.closest('.side-body')
    // Follows the end for those who are there, and leaves alone who reads further up.
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 160) box.scrollTop = box.scrollHeight
  }, [count])
  return (
    <div class="timeline" data-test="timeline" aria-busy={isForking}>
      {!(isAllShown && isAllThere) && (
        <button class="quiet earlier" type="button" data-test="earlier" onClick={showMore}>
          Show earlier
        </button>
      )}
      {turns.map((one) => (
        <TurnBlock key={one.turn} turn={one} />
      ))}
      <div ref={end} />
    </div>
  )
}

const noCalls: AskView['live']['calls'] = []

function TurnBlock({ turn: { turn, rows } }: { readonly turn: TurnRows }): JSX.Element {
  const last = rows.at(-1)
  // Entries never change: with the same last one a turn looks the same.
  const isStill = rows.every(({ live }) => live === undefined)
  return useMemo(() => {
    const longest = Math.max(1, ...rows.map(({ ms }) => ms ?? 0))
    return (
      <section class="turn" aria-label={`Turn ${String(turn + 1)}`}>
        <h3>Turn {turn + 1}</h3>
        <ol>
          {rows.map((row) => (
            <TimelineRow key={row.key} row={row} longest={longest} />
          ))}
        </ol>
      </section>
    )
  }, [turn, isStill ? last?.key : rows])
}

function TimelineRow({ row, longest }: { readonly row: Row; readonly longest: number }): JSX.Element {
  const { seq, name, detail, ms, bytes, place, look, live, time } = row
  const share = ms === undefined ? 0 : Math.max(0.02, Math.log1p(ms) / Math.log1p(longest))
  return (
    <li
      class={`row look-${look}${live === undefined ? '' : ` live-${live}`}`}
      data-test="entry"
      data-seq={seq}
      data-kind={row.kind}
      data-name={name}
      data-place={place}
    >
      <span class="row-mark" aria-hidden="true" />
      <span class="row-name">
        {name}
        {look === 'once' && <span class="badge">once</span>}
        {look === 'ask' && <span class="badge">ask</span>}
        {detail !== undefined && <span class="row-detail">{detail}</span>}
        {live !== undefined && <span class="row-detail">{live === 'runs' ? 'running' : 'waiting'}</span>}
      </span>
      <span
        class="row-facts"
        title={seq === undefined ? undefined : `Entry ${String(seq)}, ${new Date(time).toLocaleTimeString()}`}
      >
        {place === 'edge' && (
          <span class="row-place" title="At the edge">
            <CloudIcon />
          </span>
        )}
        {ms !== undefined && <span class="row-ms">{duration(ms)}</span>}
        {bytes !== undefined && <span class="row-bytes">{byteSize(bytes)}</span>}
      </span>
      {seq !== undefined && (
        <button
          type="button"
          class="icon-button small fork"
          data-test="fork"
          data-seq={seq}
          aria-label={`Fork from here, after entry ${String(seq)}: ${name}`}
          title="Fork from here"
          onClick={() => void forkFrom(seq)}
        >
          <ForkIcon />
        </button>
      )}
      {ms !== undefined && (
        <span class="row-bar" style={{ width: `${String(Math.round(share * 100))}%` }} aria-hidden="true" />
      )}
    </li>
  )
}
