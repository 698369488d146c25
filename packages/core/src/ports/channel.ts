/** Carries messages between hosts that share a store (tabs, workers). Best effort: the store is the truth. */
export interface Channel {
  /** Sends to every other host. The message is structured-cloneable. */
  post(message: unknown): void
  /** Hears what other hosts send. Returns how to stop. */
  listen(listener: (message: unknown) => void): () => void
  /**
   * Hears that messages may have been lost, as those to a page in the back/forward cache are. Returns how to stop. Absent:
   * whoever listens finds out otherwise.
   */
  onMissed?(listener: () => void): () => void
  close(): void
}
