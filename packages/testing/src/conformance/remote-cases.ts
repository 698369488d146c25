import type { Case } from './case.ts'
import { remoteClaimCases } from './remote-claim-cases.ts'
import type { RemoteSubject } from './remote-fixtures.ts'
import { remoteHandOverCases } from './remote-hand-over-cases.ts'
import { remoteLiveCases } from './remote-live-cases.ts'
import { remotePullCases } from './remote-pull-cases.ts'
import { remotePushCases } from './remote-push-cases.ts'

/** The contract of `Remote`, and of the blobs beside it. */
export const remoteCases: readonly Case<RemoteSubject>[] = [
  ...remotePushCases,
  ...remotePullCases,
  ...remoteClaimCases,
  ...remoteHandOverCases,
  ...remoteLiveCases,
]
