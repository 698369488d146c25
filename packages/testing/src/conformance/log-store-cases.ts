import type { Case } from './case.ts'
import { logAppendCases } from './log-append-cases.ts'
import { logBeginsCases } from './log-begins-cases.ts'
import { logColdCases } from './log-cold-cases.ts'
import { logCompactCases } from './log-compact-cases.ts'
import type { LogSubject } from './log-fixtures.ts'
import { logReadCases } from './log-read-cases.ts'
import { logSetAsideCases } from './log-set-aside-cases.ts'
import { logTailsCases } from './log-tails-cases.ts'

/** The contract of `LogStore`, and of the `Tails` beside it. */
export const logStoreCases: readonly Case<LogSubject>[] = [
  ...logAppendCases,
  ...logReadCases,
  ...logSetAsideCases,
  ...logTailsCases,
  ...logBeginsCases,
  ...logCompactCases,
  ...logColdCases,
]
