import { headers, toWire, WaystoneError, type ErrorCode } from '@waystone/core'
import type { Report } from '../report.ts'

/** The status that goes with each code; 500 for all others. */
export const statuses: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  forbidden: 403,
  run_unknown: 404,
  run_deleted: 410,
  blob_missing: 404,
  head_moved: 409,
  not_owner: 409,
  move_refused: 409,
  answer_taken: 409,
  ask_unknown: 409,
  run_ended: 409,
  log_damaged: 409,
  too_large: 413,
  limit_exceeded: 429,
  request_refused: 400,
  input_refused: 400,
  entry_refused: 400,
  format_newer: 400,
  value_refused: 400,
  delta_refused: 400,
}

/**
 * An error as an answer. What is not the fault of who asks is reported; what is not an error of Waystone says nothing of itself to the
 * outside.
 */
export function errorResponse(error: unknown, report: Report): Response {
  const known =
    error instanceof WaystoneError
      ? error
      : new WaystoneError('bug', 'the edge failed at this request; its log says why')
  const status = statuses[known.code] ?? 500
  if (status >= 500) report({ where: 'request', error })
  const { cause: _, ...wire } = toWire(known)
  return Response.json(wire, {
    status,
    headers: { [headers.code]: known.code, 'cache-control': 'no-store' },
  })
}
