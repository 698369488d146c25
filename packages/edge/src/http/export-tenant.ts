import type { Grant } from '@waystone/access'
import {
  fromWire,
  isWaystoneError,
  parseRunId,
  toWire,
  utf8,
  WaystoneError,
  type RunId,
} from '@waystone/core'
import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import { byteStream } from './byte-stream.ts'
import type { AskRun } from './guard.ts'
import { exportMedia } from './routes.ts'

/** What an answer with exports says of itself. */
export const exportHeaders = { 'content-type': exportMedia, 'cache-control': 'no-store' }

/** Which runs of a tenant are exported. */
export interface TenantExport {
  readonly grant: Grant
  readonly catalog: Pick<CatalogCalls, 'page'>
  readonly ask: AskRun
  readonly limit: number
  /** The last run that who asks has already. */
  readonly after: string | undefined
}

/**
 * The exports of some runs, one after the other, in the order of their ids: each is asked for when the one before has been taken.
 * A line of kind `end` closes them; without it what came is not all. Throws `input_refused`.
 */
export async function exportTenant({ grant, catalog, ask, limit, after }: TenantExport): Promise<Response> {
  const cursor = after === undefined ? {} : { after: `:${parseRunId(after)}` }
  const { runs, next } = await catalog.page({ runs: grant.runs, byId: true, limit, ...cursor })
  async function* parts(): AsyncGenerator<Uint8Array, void> {
    let exported = 0
    for (const { run } of runs) {
      const url = `https://edge/v1/runs/${run}/export`
      const response = await ask(run, new Request(url))
      if (response.ok) {
        try {
          for await (const part of response.body ?? []) yield part
          exported += 1
        } catch {
          // A line may have been cut off.
          yield utf8('\n')
          yield lineOf({ kind: 'failed', run, error: toWire(brokenOff(run)) })
        }
        continue
      }
      const error: unknown = fromWire(await response.json())
      if (isWaystoneError(error, 'unauthorized')) throw error
      // Deleted since it was listed.
      if (isWaystoneError(error, 'run_deleted') || isWaystoneError(error, 'run_unknown')) continue
      yield lineOf({ kind: 'failed', run, error: toWire(error) })
    }
    const last: { readonly next?: RunId | undefined } = next === undefined ? {} : { next: runs.at(-1)?.run }
    yield lineOf({ kind: 'end', runs: exported, ...last })
  }
  return new Response(byteStream(parts()), { headers: exportHeaders })
}

function brokenOff(run: RunId): WaystoneError {
  return new WaystoneError(
    'log_damaged',
    `the export of run ${run} broke off: what is stored of it is damaged, or it was let go while it was read`,
    { run, actions: ['retry'] },
  )
}

function lineOf(value: object): Uint8Array {
  return utf8(`${JSON.stringify(value)}\n`)
}
