import { readdirSync, readFileSync } from 'node:fs'

/** The process and all its descendants, as /proc shows them now; parents come before children. Linux only. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(name)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found: number[] = [pid]
  for (let index = 0; index < found.length; index++) {
    const current = found[index]
    if (current !== undefined) found.push(...(children.get(current) ?? []))
  }
  return found
}

/**
 * Kills a process and all its descendants with SIGKILL. The tree is read before the first signal, because the children of a
 * dead process change their parent; it is read again until nothing of it is left, because a process may fork meanwhile.
 */
export function killTree(pid: number): void {
  const seen = new Set<number>()
  for (let round = 0; round < 10; round++) {
    const tree = [...seen, ...processTree(pid)]
    for (const member of tree) seen.add(member)
    const alive = [...seen].filter(isAlive)
    for (const member of alive) send(member, 'SIGKILL')
    if (alive.length === 0) return
  }
}

/** Sends a signal to a process group; a group that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  send(-pid, signal)
}

/** What a process has of physical memory, in bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    return (
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0) *
      1_024
    )
  } catch {
    return 0
  }
}

/** The command line of a process as one text, because Chromium rewrites its own that way; empty when the process is gone. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/**
 * Whether any thread of a process runs. One that ended and waits to be collected by its parent does not; one whose first
 * thread has ended still has its files open, and what it has locked in them, until the last one has.
 */
export function isAlive(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some(
      (thread) => parentOf(`${String(pid)}/task/${thread}`) !== undefined,
    )
  } catch {
    return false
  }
}

/** The parent of a process, or of a thread of it, that runs; a zombie has ended already, although it is listed. */
function parentOf(path: string): number | undefined {
  try {
    // The name of the program is in parentheses and may itself hold spaces and parentheses.
    const text = readFileSync(`/proc/${path}/stat`, 'utf8')
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? undefined : Number(parent)
  } catch {
    return undefined
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
