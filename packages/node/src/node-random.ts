import { randomBytes } from 'node:crypto'
import type { Random } from '@waystone/core'

/** Random bytes of the operating system, for the `random` of a session or a runtime. */
export const nodeRandom: Random = (bytes) => new Uint8Array(randomBytes(bytes))
