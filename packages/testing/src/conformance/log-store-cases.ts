import type { LogStore } from '@waystone/core'
import type { Case } from './case.ts'
import { logAppendCases } from './log-append-cases.ts'
import { logReadCases } from './log-read-cases.ts'
import { logSetAsideCases } from './log-set-aside-cases.ts'

/** The contract of `LogStore`. */
export const logStoreCases: readonly Case<LogStore>[] = [
  ...logAppendCases,
  ...logReadCases,
  ...logSetAsideCases,
]
