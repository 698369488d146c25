/** A message of the conversation that grows. */
export interface Message {
  readonly role: string
  readonly text: string
}

/** Something that keeps a conversation in IndexedDB. */
export interface Peer {
  /** What of it is used, and what it keeps of the turns before the last: not all keep what a checkpoint is. */
  readonly keeps: string
  open(): Promise<OpenPeer>
}

export interface OpenPeer {
  /** Adds the messages of one turn. Resolves when they are stored, where the peer can tell. */
  add(messages: readonly Message[]): Promise<void>
  /** Resolves when everything is stored. */
  close(): Promise<void>
}

/** What a conversation took. */
export interface Grown {
  readonly keeps: string
  /** Of each turn, in ms. */
  readonly turns: readonly number[]
  /** What was said, as JSON. */
  readonly rawBytes: number
  /** All keys and values in the databases of this origin. */
  readonly recordBytes: number
  /** What the browser says that they take on disk. */
  readonly diskBytes: number
}
