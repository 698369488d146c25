import type { RunStorage } from '@waystone/core'
import {
  blobsCases,
  durableCases,
  inboxCases,
  logStoreCases,
  runCases,
  snapshotsCases,
  streamsCases,
  valuesCases,
  type Case,
  type CaseResult,
  type DurableSubject,
} from '@waystone/testing'

/** A group of cases: the part of a storage they are about, or what needs none. */
export type PortName = 'log' | 'snapshots' | 'blobs' | 'inbox' | 'streams' | 'values'

/** Every case by its port and name, for a runner elsewhere to name. */
export const portCases: readonly (readonly [PortName, string])[] = [
  ...logStoreCases.map(({ name }) => ['log', name] as const),
  ...snapshotsCases.map(({ name }) => ['snapshots', name] as const),
  ...blobsCases.map(({ name }) => ['blobs', name] as const),
  ...inboxCases.map(({ name }) => ['inbox', name] as const),
  ...streamsCases.map(({ name }) => ['streams', name] as const),
  ...valuesCases.map(({ name }) => ['values', name] as const),
]

/** Runs one case where its subject lives. `storage` makes an empty one at every call. */
export async function runPortCase(
  storage: () => Promise<RunStorage>,
  port: PortName,
  name: string,
): Promise<CaseResult> {
  switch (port) {
    case 'log':
      return runNamed(logStoreCases, name, storage)
    case 'snapshots':
      return runNamed(snapshotsCases, name, async () => (await storage()).snapshots)
    case 'blobs':
      return runNamed(blobsCases, name, async () => (await storage()).blobs)
    case 'inbox':
      return runNamed(inboxCases, name, async () => (await storage()).inbox)
    case 'streams':
      return runNamed(streamsCases, name, async () => (await storage()).streams)
    case 'values':
      return runNamed(valuesCases, name, async () => undefined)
  }
}

/** Runs the case of a name where its subject lives. */
export async function runNamed<Subject>(
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

/** The names of the cases of a storage that several hosts open. */
export const durableNames: readonly string[] = durableCases.map(({ name }) => name)

/** Runs one of them where the storage lives. */
export function runDurableCase(subject: () => Promise<DurableSubject>, name: string): Promise<CaseResult> {
  return runNamed(durableCases, name, subject)
}
