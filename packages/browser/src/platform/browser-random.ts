import type { Random } from '@waystone/core'

/** Random bytes of the platform; present in insecure contexts too, where `crypto.randomUUID` is not. */
export const browserRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes))
