import type { RunId } from '../ids.ts'

/**
 * Seals what entries and blobs hold, with keys that this host has. Synchronous, since no transaction outlives an awaited
 * cipher; whoever makes one has brought its keys into memory before. A key is named by an id that stands in the open in
 * every entry. Each run has keys of its own; what a fork has of its source stays sealed with those of the source.
 */
export interface Cipher {
  /**
   * The id of the key for the next entry of a run, after one sealed with `last`; undefined for its first. `lent`: somebody
   * else may have that key, so that a device goes on with another one. Throws `key_missing`.
   */
  keyFor(run: RunId, last: string | undefined, lent: boolean): string
  /** True when this host can open what was sealed with a key. */
  has(key: string): boolean
  /** True for a key of this run, whether this host has it or not. */
  isOf(key: string, run: RunId): boolean
  /** Seals bytes; `place` is authenticated with them and not stored. Newly made bytes. Throws `key_missing`. */
  seal(key: string, place: Uint8Array, plain: Uint8Array): Uint8Array
  /** What was sealed for this place. Newly made bytes. Throws `key_missing`, or `log_damaged` for anything else. */
  open(key: string, place: Uint8Array, sealed: Uint8Array): Uint8Array
  /** Seals a blob so that equal bytes under one key become equal bytes again, and says in them which key it was. */
  sealBlob(key: string, plain: Uint8Array): Uint8Array
  /** Throws `key_missing`, or `log_damaged` for bytes that are no sealed blob. */
  openBlob(sealed: Uint8Array): Uint8Array
  /** The public key, in base64, for which anybody can seal what only those can open who have a key. Rejects with `key_missing`. */
  inboxKey(key: string): Promise<string>
  /** Seals bytes for a public key, in base64, and for one use. */
  sealItem(publicKey: string, use: string, plain: Uint8Array): Promise<Uint8Array>
  /** Opens what was sealed for the public key of a key. Rejects with `key_missing`, `log_damaged`. */
  openItem(key: string, use: string, sealed: Uint8Array): Promise<Uint8Array>
}

/** What one needs to write to an encrypted run without being able to read it. */
export interface InboxKey {
  /** The id of the key that opens it. */
  readonly key: string
  /** In base64. */
  readonly publicKey: string
}

/** What a host encrypts its runs with. */
export interface Encryption {
  readonly cipher: Cipher
  /** Runs that come from the edge have to be encrypted. Absent: those in the open are taken, and stay as they are. */
  readonly only?: boolean
  /**
   * Seals the keys of a run for an edge, so that it can go on there for a time: what a claim carries. `to` is the public key
   * of the edge, `now` is in ms since 1970. Absent: runs are end-to-end encrypted, and never go on at the edge.
   */
  readonly lend?: (to: Uint8Array, lending: Lending) => Promise<string>
}

/** What is lent. */
export interface Lending {
  readonly run: RunId
  /** The ids of the run's own keys that it is sealed with. */
  readonly keys: readonly string[]
  readonly now: number
}

/** The keys that devices have lent to an edge, those of one run. */
export interface LentKeys {
  /** Opens what is lent now. */
  readonly cipher: Cipher
  /** Takes what a claim carries, for good once `keep` was called. Rejects with `move_refused`. */
  take(run: RunId, lent: string): Promise<Borrowed>
  /** Takes up again what was kept before. Nothing when there is nothing, or its time is over. */
  recall(run: RunId): Promise<void>
  /** Forgets it. */
  drop(): void
}

/** Keys that were taken and may be used from now on. */
export interface Borrowed {
  /** In ms since 1970. */
  readonly until: number
  /** From here on it is found again after a restart. */
  keep(): void
}
