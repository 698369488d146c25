import { headOfLine, parseOwnerId, parseRunId, sealEntry, type Head, type RunId } from '@waystone/core'

/** The run of the tests that make their own entries. */
export const run: RunId = parseRunId('run-1')

/** An entry that follows a head, as a line. */
export function entryAfter(head: Head | undefined, text: string): Uint8Array {
  return sealEntry(
    { kind: 'step', body: { path: '1/a', attempts: 1, ms: 1, outcome: { value: text } } },
    {
      run,
      seq: (head?.seq ?? -1) + 1,
      prev: head?.digest ?? null,
      epoch: 0,
      term: 1,
      owner: parseOwnerId('device-1'),
      time: 1,
    },
  ).line
}

/** The head of a log that ends with a line. */
export function headAfter(line: Uint8Array): Head {
  return headOfLine(line)
}
