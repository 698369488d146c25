import { WaystoneError } from '../errors.ts'
import { parseOwnerId, parseRunId, type OwnerId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Retention } from '../log/bodies.ts'
import { checkVersions, type Software } from '../log/written.ts'
import type { Channel } from '../ports/channel.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Locks } from '../ports/locks.ts'
import type { Place } from '../ports/log-store.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { Edge } from '../sync/syncer.ts'

/** What a session is kept in, and who opens it. */
export interface SessionOptions<State> {
  /** Stays open when the session is closed: it may have others. */
  readonly storage: RunStorage
  /** 1 to 100 characters of `A-Z a-z 0-9 . _ ~ -`. */
  readonly id: string
  /** The state of a session that is new, or what makes it. */
  readonly initial: State | (() => State)
  /** This device, by a name that it keeps: all tabs of a browser profile are one device. */
  readonly me: string
  readonly clock: Clock
  readonly random: Random
  /** Keeps the session elsewhere, too, and decides who of several devices writes it. Absent: all stays here. */
  readonly edge?: Edge
  /** With it a session that is new is encrypted, and one that is can be read. */
  readonly cipher?: Cipher
  /** Where this device is, for those who look at the log. Default `browser`. */
  readonly place?: Place
  /** Of the shape of the state, a whole number from 1 on. Default 1. */
  readonly version?: number
  /** What brings a state of the version before to this one, by the newer version. */
  readonly migrate?: Readonly<Record<number, (state: never) => unknown>>
  /** How much of its history is kept. Default: all. What a keyed value needs stays always. */
  readonly retention?: SessionRetention
  /**
   * What a write does while another device owns the session: `onWrite` (default) makes this one the owner first, `ask`
   * rejects with `not_owner`, and the application calls `claim()`.
   */
  readonly claim?: 'onWrite' | 'ask'
  /** Tells other tabs of this device. Stays open when the session is closed. */
  readonly channel?: Channel
  /** Makes tabs that write at the same time wait for each other, rather than try again and again. */
  readonly locks?: Locks
  /** What this host runs in, and versions of what the application depends on, for those who look at the log. */
  readonly software?: Software
}

/** How much of the history of a session is kept: what one of them asks for stays, whatever the others say. */
export interface SessionRetention {
  /** The newest saves. Default 0. */
  readonly saves?: number
  /** What is not older than this, in ms. Default 0. */
  readonly ms?: number
  /** Checkpoints that have a label. Default true. */
  readonly labels?: boolean
}

/** Options that were checked. */
export interface SessionSetup {
  readonly storage: RunStorage
  readonly run: RunId
  readonly initial: () => unknown
  readonly me: OwnerId
  readonly clock: Clock
  readonly random: Random
  readonly edge: Edge | undefined
  readonly cipher: Cipher | undefined
  readonly place: Place
  readonly version: number
  readonly migrate: Readonly<Record<number, (state: never) => unknown>>
  readonly retention: Retention | undefined
  readonly claim: 'onWrite' | 'ask'
  readonly channel: Channel | undefined
  readonly locks: Locks | undefined
  readonly software: Software | undefined
}

/** Checks options. Throws `input_refused`. */
export function sessionSetup<State>(options: SessionOptions<State>): SessionSetup {
  const { storage, initial, clock, random, version = 1, claim = 'onWrite' } = options
  checkVersions(options.software?.versions)
  if (!Number.isSafeInteger(version) || version < 1)
    throw refused('`version` is a whole number from 1 on', version)
  if (claim !== 'onWrite' && claim !== 'ask') throw refused("`claim` is 'onWrite' or 'ask'", claim)
  return {
    storage,
    run: parseRunId(options.id),
    initial: typeof initial === 'function' ? (initial as () => unknown) : () => initial,
    me: parseOwnerId(options.me),
    clock,
    random,
    edge: options.edge,
    cipher: options.cipher,
    place: options.place ?? 'browser',
    version,
    migrate: options.migrate ?? {},
    retention: options.retention && retentionOf(options.retention),
    claim,
    channel: options.channel,
    locks: options.locks,
    software: options.software,
  }
}

/** Checks a key of a record. Throws `input_refused`. */
export function parseKey(key: unknown): string {
  if (typeof key === 'string' && key !== '' && key.length <= limits.keyCharsMax) return key
  throw refused(`a key is a string of 1 to ${String(limits.keyCharsMax)} characters`, key)
}

/** Checks the sequence number of an entry. Throws `input_refused`. */
export function parseSeq(seq: unknown): number {
  if (Number.isSafeInteger(seq) && (seq as number) >= 0) return seq as number
  throw refused('`seq` is a whole number from 0 on', seq)
}

/** Checks a number of things to be given. Throws `input_refused`. */
export function parseCount(name: string, count: number, most: number): number {
  const isCount = Number.isSafeInteger(count) && count >= 0 && count <= most
  if (isCount || count === most) return count
  throw refused(`\`${name}\` is a whole number from 0 to ${String(most)}`, count)
}

function retentionOf({ saves = 0, ms = 0, labels = true }: SessionRetention): Retention {
  if (!(saves >= 0 && ms >= 0)) throw refused('`retention` has numbers from 0 on', { saves, ms })
  return { turns: saves, ms, labels }
}

function refused(expected: string, found: unknown): WaystoneError {
  const shown = (JSON.stringify(found) ?? String(found)).slice(0, 100)
  return new WaystoneError('input_refused', `${expected}; found ${shown}`, {
    details: { expected, found: shown },
  })
}
