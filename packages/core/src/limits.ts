/** Every limit of Waystone in one place. Units come before Max and Min. */
export const limits = {
  /** An entry as stored, in bytes of UTF-8. Chromium's LevelDB store turns 5 times slower at 65,536 (measured 2026-11). */
  entryBytesMax: 60_000,
  /** Chunks of one state, or parts of one artifact: their hashes stand in the header of an entry. */
  entryBlobsMax: 700,
  /** One stored record of several entries: below the same cliff. */
  recordBytesMax: 64_000,
  /** Entries that wait for the store share a transaction until they have this many bytes; the last may go over it. */
  groupBytesMax: 500_000,
  /** The entries that a claim takes along; with more they are pushed first. An edge takes claims of 100,000 bytes. */
  tailBytesMax: 32_000,
  /** Open calls that a successor names, and how many characters of JSON they may take: a socket and a request carry them. */
  openCallsMax: 200,
  openCallsCharsMax: 30_000,
  /** One page of a read or a pull, and one push. */
  pageBytesMax: 1_000_000,
  /** One blob, which is also the largest request body the edge takes. */
  blobBytesMax: 32 * 1024 * 1024,
  /** A snapshot is due after so many entries, */
  snapshotEntriesMax: 1_000,
  /** or when they have this many bytes, and outweigh a quarter of the newest snapshot. */
  snapshotBytesMin: 64 * 1024,
  /** Snapshots of one run that are kept, and labelled checkpoints beside them, the newest: one entry names them all. */
  snapshotsMax: 16,
  labelsMax: 100,
  /** Artifacts are stored in parts of this size, unless their author chooses another: what an edit stores at least. */
  artifactPartBytes: 1024 * 1024,
  /** What the chunks of one entry hold, in UTF-16 units: more than any state that a browser works with. */
  unpackedCharsMax: 256 * 1024 * 1024,
  /** Committed state at the edge, where an object has 128 MB of memory. */
  stateBytesMax: 24 * 1024 * 1024,
  /** Recorded calls of one turn: it is shown as long from the first on, and refuses more than the second. */
  turnRecordsLong: 1_000,
  turnRecordsMax: 10_000,
  /** How often a child is started anew, and how many runs there may be above one: an agent that starts itself ends there. */
  childAttemptsMax: 100,
  childDepthMax: 16,
  /** Items of one `ctx.map`. */
  mapItemsMax: 10_000,
  /** A name of an agent, a step, a branch, a message or an artifact, in characters. */
  nameCharsMax: 200,
  /** Versions of dependencies that an application names for its host, and each of them in characters. */
  versionsMax: 32,
  versionCharsMax: 100,
  /** Between two pushes of a policy that finds its interval by itself, in ms. */
  syncIntervalMsMin: 1_000,
  syncIntervalMsMax: 60_000,
  /** An inbox item, in bytes of JSON. */
  inboxItemBytesMax: 60_000,
  /** Items that wait in the inbox of one run, and all of them in bytes of JSON: an object reads them at once. */
  inboxItemsMax: 1_000,
  inboxBytesMax: 4_000_000,
  /** Room beside these that messages do not take: for answers, and for who steers the run. */
  inboxItemsSpare: 100,
  inboxBytesSpare: 1_000_000,
  /** The text of one stream, in UTF-16 units. */
  streamCharsMax: 4_000_000,
  /** The text of all streams of a run that a device tells its edge of, beside its log, in UTF-16 units. */
  liveTextCharsMax: 8_000_000,
  /** One frame of a live connection, in characters. */
  frameCharsMax: 2_000_000,
  /** Runs on one page of a list. */
  listRunsMax: 500,
  /** The key of a record of a session, in characters. */
  keyCharsMax: 1_000,
  /** Values that a keyed value may be told by, one as what changed since the other. */
  likeDepthMax: 64,
  /** Checkpoints on one page of a list. */
  checkpointsMax: 1_000,
  /** How often a write of a session is tried while others are faster. */
  writeTriesMax: 20,
  /** How long such a write lets other tabs go first, in ms: one that is frozen may hold their lock for ever. */
  writeLockMsMax: 1_000,
  /** Between two words on what a run does, for those who watch it, in ms: about a frame of a screen. */
  liveMsMin: 16,
  /** A turn that nothing moves for this long is shown as standing still, in ms. */
  patienceMs: 5_000,
  /** A turn that nothing moves for this long is paused, in ms. */
  standingMsMax: 60_000,
  /** A run that is over and that nobody watches is in memory for this long, in ms. */
  idleMsMax: 10_000,
  /** How long bodies that were told to stop may take, in ms. */
  abortMsMax: 5_000,
  /** Wake-ups of a run at the edge without any progress before it is paused. */
  stallsMax: 5,
  /** Openings of a run by its devices within a time, in ms, without any progress before it is paused. */
  openingsMax: 10,
  openingsMs: 10 * 60_000,
} as const
