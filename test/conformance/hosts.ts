import {
  channelCases,
  clockCases,
  locksCases,
  remoteCases,
  type CaseResult,
  type ChannelSubject,
  type ClockSubject,
  type LocksSubject,
  type RemoteSubject,
} from '@waystone/testing'
import { runNamed } from './ports.ts'

/** What a host has beside a storage. */
export interface HostSubjects {
  readonly clock: () => Promise<ClockSubject>
  readonly locks: () => Promise<LocksSubject>
  readonly channel: () => Promise<ChannelSubject>
  readonly remote: () => Promise<RemoteSubject>
}

/** A part of a host. */
export type HostPortName = keyof HostSubjects

const cases = { clock: clockCases, locks: locksCases, channel: channelCases, remote: remoteCases } as const

/** The cases of some parts by part and name, for a runner elsewhere to name. */
export function hostCases(...ports: readonly HostPortName[]): readonly (readonly [HostPortName, string])[] {
  return ports.flatMap((port) => cases[port].map(({ name }) => [port, name] as const))
}

/** Runs one case where its subject lives. */
export async function runHostCase<Port extends HostPortName>(
  subjects: Pick<HostSubjects, Port>,
  port: Port,
  name: string,
): Promise<CaseResult> {
  const made: Partial<HostSubjects> = subjects
  switch (port) {
    case 'clock':
      return runNamed(clockCases, name, must(made.clock))
    case 'locks':
      return runNamed(locksCases, name, must(made.locks))
    case 'channel':
      return runNamed(channelCases, name, must(made.channel))
    default:
      return runNamed(remoteCases, name, must(made.remote))
  }
}

function must<Subject>(subject: Subject | undefined): Subject {
  if (subject === undefined) throw new Error('this host has no such part')
  return subject
}
