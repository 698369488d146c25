/** Carries messages between hosts that share a store (tabs, workers). Best effort: the store is the truth. */
export interface Channel {
  /** Sends to every other host. The message is structured-cloneable. */
  post(message: unknown): void
  /** Hears what other hosts send. Returns how to stop. */
  listen(listener: (message: unknown) => void): () => void
  close(): void
}
