import { WaystoneError } from '../errors.ts'
import { newId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Random } from '../ports/clock.ts'
import { sdkVersion } from '../version.ts'
import type { Written } from './bodies.ts'

/** What a host of runs is made of, for those who read a log later. */
export interface Software {
  /** What it runs in, in plain words: `chromium 156`, `workerd`, `node 24`. */
  readonly host?: string | undefined
  /** Versions of what the agents here depend on, as the application names them: `{ ai: '7.0.1' }`. */
  readonly versions?: Readonly<Record<string, string>> | undefined
}

/** What a host says of itself in an entry that makes it the writer: told anew in each, so that none speaks for another. */
export function writtenBy(random: Random, { host, versions }: Software = {}): Written {
  return {
    nonce: newId(random),
    sdk: sdkVersion,
    ...(host === undefined ? {} : { host }),
    ...(versions === undefined || Object.keys(versions).length === 0 ? {} : { versions }),
  }
}

/** Throws `input_refused` for versions that are none, or too many or too long to stand in a log. */
export function checkVersions(versions: Software['versions']): void {
  if (versions === undefined) return
  if (typeof versions !== 'object' || versions === null || Array.isArray(versions))
    throw refused('an object of names and versions', Array.isArray(versions) ? 'a list' : String(versions))
  const entries = Object.entries<unknown>(versions)
  const { versionsMax, nameCharsMax, versionCharsMax } = limits
  if (entries.length > versionsMax)
    throw refused(`at most ${String(versionsMax)} of them`, String(entries.length))
  for (const [name, version] of entries) {
    if (name === '' || name.length > nameCharsMax)
      throw refused(`names of 1 to ${String(nameCharsMax)} characters`, `one of ${String(name.length)}`)
    if (typeof version !== 'string' || version === '' || version.length > versionCharsMax)
      throw refused(
        `a version of 1 to ${String(versionCharsMax)} characters for "${name}"`,
        typeof version === 'string' ? `one of ${String(version.length)}` : `a ${typeof version}`,
      )
  }
}

function refused(expected: string, found: string): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `\`versions\` was refused: expected ${expected}, found ${found}. Name what your agents depend on, such as { ai: '7.0.1' }`,
  )
}
