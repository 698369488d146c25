import type { Append, Appended, Head } from '../ports/log-store.ts'
import { parseLine } from './entry.ts'

/** What a store does with an append: keep the first entries, put the lines after them. */
export type AppendPlan =
  | {
      readonly ok: true
      /** Entries before this one stay. */
      readonly keep: number
      /** Those of the lines that the log does not have, and the sequence number of the first. */
      readonly from: number
      readonly lines: readonly Uint8Array[]
      readonly head: Head
    }
  | Extract<Appended, { ok: false }>

/**
 * Decides an append, the same way for every store. It is accepted when the log ends at the base, or when what the log
 * has after the base are the very entries that are appended, in any batches: then only the others are stored. With
 * `setAside` the base may lie before the head; with `begins` an empty log begins after the base, and with both a log
 * begins anew there.
 *
 * `at` gives the head that the log had at a sequence number.
 */
export function planAppend(
  append: Append,
  head: Head | undefined,
  at: (seq: number) => Head | undefined,
): AppendPlan {
  const { base, lines, setAside } = append
  const refused: AppendPlan = { ok: false, code: 'head_moved', head }
  const baseSeq = base?.seq ?? -1
  const headSeq = head?.seq ?? -1
  const last = lines.at(-1)
  const end = last === undefined ? base : (append.end ?? headOfLine(last))
  if (end === undefined) return refused
  if (head === undefined && append.begins)
    return { ok: true, keep: baseSeq + 1, from: baseSeq + 1, lines, head: end }
  if (append.begins && setAside && head?.digest !== end.digest)
    return { ok: true, keep: 0, from: baseSeq + 1, lines, head: end }
  if (baseSeq === headSeq && base?.digest === head?.digest)
    return { ok: true, keep: headSeq + 1, from: headSeq + 1, lines, head: end }
  if (baseSeq > headSeq || (base && at(base.seq)?.digest !== base.digest)) return refused

  let known = 0
  while (known < lines.length && baseSeq + known < headSeq) {
    if (at(baseSeq + known + 1)?.digest !== headOfLine(lines[known] as Uint8Array).digest) break
    known += 1
  }
  const keep = baseSeq + known + 1
  if (setAside) return { ok: true, keep, from: keep, lines: lines.slice(known), head: end }
  if (known === lines.length && head)
    return { ok: true, keep: headSeq + 1, from: headSeq + 1, lines: [], head }
  return keep > headSeq ? { ok: true, keep, from: keep, lines: lines.slice(known), head: end } : refused
}

/** The head that a log has when this line is its last. */
export function headOfLine(line: Uint8Array): Head {
  const { seq, digest } = parseLine(line)
  return { seq, digest }
}
