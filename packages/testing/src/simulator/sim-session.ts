import { WaystoneError, type Head, type RunId } from '@waystone/core'
import type { ForkedSession, Session } from '@waystone/core/session'
import type { SimDevice, SimTab } from './sim-device.ts'
import type { SimObject } from './sim-edge.ts'
import type { SimWorld } from './sim-world.ts'

/** What the tabs of all devices write into, where a world has it. */
export const sharedNotes = 'notes' as RunId

/** Its state. */
export interface Notes {
  notes: string[]
  /** How many there are: one that is written over a newer state shows here. */
  count: number
  /** What makes snapshots due, where the session is let go of. */
  pad: string
}

interface Written {
  readonly id: string
  readonly device: SimDevice
}

/** A session that a tab has open, or is about to. */
export class SimSession {
  session: Session<Notes> | undefined
  readonly forked: ForkedSession<Notes>[] = []
  readonly opening: Promise<Session<Notes>>

  constructor(opening: Promise<Session<Notes>>) {
    this.opening = opening
    opening
      .then((session) => {
        this.session = session
        session.onForked((forked) => this.forked.push(forked))
      })
      .catch(() => undefined)
  }

  get head(): Head | undefined {
    return this.session?.head
  }
}

interface OpenTab {
  readonly tab: SimTab
  readonly device: SimDevice
}

/** A value that was let go of has no text; one that cannot be read now is read later. */
function goneAs(error: unknown): { readonly text?: string } | undefined {
  return error instanceof WaystoneError && error.code === 'checkpoint_gone' ? {} : undefined
}

type Work = (session: Session<Notes>, open: OpenTab) => Promise<unknown>

/** What of the session is needed. */
export interface SessionPeoplePorts {
  readonly world: SimWorld
  readonly devices: () => readonly SimDevice[]
  /** Absent: it is kept here alone. */
  readonly object: (() => SimObject) | undefined
  /** So many characters change with each note. */
  readonly padChars: number
}

/** The people who write notes into a session, in all tabs of all devices, and look for them afterwards. */
export class SessionPeople {
  readonly #ports: SessionPeoplePorts
  /** What was acknowledged. */
  readonly #written: Written[] = []
  /** The last entry of each session when its records were read. */
  readonly #read = new WeakMap<Session<Notes>, string>()
  #count = 0

  constructor(ports: SessionPeoplePorts) {
    this.#ports = ports
  }

  /** Somebody does something with it. */
  look(calm: boolean): void {
    const { dice } = this.#ports.world
    if (calm) return this.#refresh()
    const what = dice.next()
    if (what < 0.5) this.#write(false)
    else if (what < 0.7) this.#write(true)
    else if (what < 0.8) this.#do('claims', (session) => session.claim())
    else if (what < 0.9) this.#do('refreshes', (session) => session.refresh())
    else this.#do('labels', (session) => session.label('then'))
  }

  /** True once all that are open have the same, and the edge has it. */
  get isSettled(): boolean {
    const { object } = this.#ports
    const heads = new Set<string | undefined>(this.#tabs().map(({ tab }) => tab.session?.head?.digest))
    if (object) heads.add(object().disk.mirror(sharedNotes).head?.digest)
    return heads.size === 1 && !heads.has(undefined)
  }

  /** What was acknowledged is in the session, or in what was set aside of it; and there once. */
  check(): void {
    const { world } = this.#ports
    const states = new Set<string>()
    const kept = new Set<string>()
    for (const { tab } of this.#tabs()) {
      const { session, forked = [] } = tab.session ?? {}
      if (session === undefined) continue
      const { notes, count } = session.state
      states.add(JSON.stringify(session.state))
      if (notes.length !== count)
        world.fail(`the session of ${tab.realm.name} has counted ${String(count)} of ${notes.join()}`)
      for (const { state, records } of [
        { state: session.state, records: session.records() },
        ...forked.map(({ mine, records: theirs }) => ({ state: mine, records: theirs })),
      ])
        for (const id of [...state.notes, ...records.keys()]) kept.add(id)
      const twice = notes.find((note, at) => notes.indexOf(note) !== at)
      if (twice !== undefined) world.fail(`${twice} is twice in the session of ${tab.realm.name}`)
    }
    if (states.size > 1) world.fail(`the session is not the same everywhere: ${[...states].join(' and ')}`)
    for (const { id, device } of this.#written)
      if (!device.disk.isForgetful && !kept.has(id))
        world.fail(`${id} was acknowledged to ${device.name}, and is nowhere in the session`)
  }

  #write(isRecord: boolean): void {
    this.#count += 1
    const id = `${isRecord ? 'record' : 'note'}-${String(this.#count)}`
    const { scheduler, dice } = this.#ports.world
    // Some think while they have the draft, and others write meanwhile.
    const thinkMs = dice.chance(0.5) ? dice.between(0, 200) : 0
    this.#do(`writes ${id}`, async (session, { device, tab: { realm } }) => {
      if (isRecord) await session.put(id, { text: id })
      else
        await session.update(async (draft) => {
          if (thinkMs > 0)
            await new Promise<void>((resolve) => scheduler.after(thinkMs, 'thinks', realm, resolve))
          draft.notes.push(id)
          draft.count += 1
          draft.pad = String(draft.count % 10).repeat(this.#ports.padChars)
        })
      this.#written.push({ id, device })
      this.#ports.world.tell(`${device.name} has written ${id}`)
    })
  }

  /** What is there can be read, whatever was let go of around it. */
  #refresh(): void {
    const { isSettled } = this
    for (const open of this.#tabs()) {
      const known = open.tab.session?.session
      if (isSettled && known && this.#read.get(known) === known.head.digest) continue
      this.#doIn(open, 'refreshes', async (session) => {
        await session.refresh()
        if (this.#read.get(session) === session.head.digest) return
        this.#read.set(session, session.head.digest)
        for (const id of session.records().keys()) {
          const value = (await session.get(id).catch(goneAs)) as { readonly text?: string } | undefined
          // What stands before a damaged entry cannot go to the edge, from where others would have it.
          const isDamaged = this.#ports.devices().some(({ disk }) => disk.isDamaged(sharedNotes, Infinity))
          if (value && value.text !== id && !isDamaged)
            this.#ports.world.fail(`the record ${id} says ${String(value.text)}`)
        }
      })
    }
  }

  #do(what: string, work: Work): void {
    const { dice } = this.#ports.world
    const chosen = dice.pick(this.#tabs().filter(({ tab }) => !tab.realm.frozen))
    if (chosen) this.#doIn(chosen, what, work)
  }

  #doIn(open: OpenTab, what: string, work: Work): void {
    const { world } = this.#ports
    world.tell(`a person ${what} in the session of ${open.tab.realm.name}`)
    open.tab.session?.opening
      .then((session) => work(session, open))
      .catch((error: unknown) => {
        if (!(error instanceof WaystoneError) || error.code === 'bug')
          world.fail(`who ${what} in ${open.tab.realm.name} fails: ${String((error as Error).stack)}`)
      })
  }

  #tabs(): readonly OpenTab[] {
    return this.#ports.devices().flatMap((device) => [...device.tabs].map((tab) => ({ tab, device })))
  }
}
