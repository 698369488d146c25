import type { Blobs, Inbox, LogStore, Streams } from '@waystone/core'
import {
  blobsCases,
  inboxCases,
  logStoreCases,
  runCases,
  streamsCases,
  type Case,
  type CaseResult,
} from '@waystone/testing'

/** Makes an empty implementation of each port at every call. */
export interface Subjects {
  readonly log: () => Promise<LogStore>
  readonly blobs: () => Promise<Blobs>
  readonly inbox: () => Promise<Inbox>
  readonly streams: () => Promise<Streams>
}

/** A port that a storage implements. */
export type PortName = keyof Subjects

/** Every case by its port and name, for a runner elsewhere to name. */
export const portCases: readonly (readonly [PortName, string])[] = [
  ...logStoreCases.map(({ name }) => ['log', name] as const),
  ...blobsCases.map(({ name }) => ['blobs', name] as const),
  ...inboxCases.map(({ name }) => ['inbox', name] as const),
  ...streamsCases.map(({ name }) => ['streams', name] as const),
]

/** Runs one case where its subject lives. */
export async function runPortCase(subjects: Subjects, port: PortName, name: string): Promise<CaseResult> {
  switch (port) {
    case 'log':
      return runNamed(logStoreCases, name, subjects.log)
    case 'blobs':
      return runNamed(blobsCases, name, subjects.blobs)
    case 'inbox':
      return runNamed(inboxCases, name, subjects.inbox)
    case 'streams':
      return runNamed(streamsCases, name, subjects.streams)
  }
}

async function runNamed<Subject>(
  cases: readonly Case<Subject>[],
  name: string,
  subject: () => Promise<Subject>,
): Promise<CaseResult> {
  const found = cases.filter((one) => one.name === name)
  const [result] = await runCases(found, subject)
  if (result === undefined || found.length > 1)
    throw new Error(`${String(found.length)} cases are named "${name}"`)
  return result
}
