import { fromWire, toWire } from '@waystone/core'
import { transferHandlers, type TransferHandler } from 'comlink'

/**
 * Makes errors of Waystone keep their class, code and cause across comlink, which sends name and message only. Call it
 * on both sides; calling it again is harmless.
 */
export function installErrorTransfer(): void {
  const original = transferHandlers.get('throw') as
    TransferHandler<{ readonly value: unknown }, unknown> | undefined
  if (original === undefined || installed in original) return
  const handler: TransferHandler<{ readonly value: unknown }, unknown> & { [installed]: true } = {
    [installed]: true,
    canHandle: (value): value is { readonly value: unknown } => original.canHandle(value),
    serialize: ({ value }) => [toWire(value), []],
    deserialize: (wire) => {
      throw fromWire(wire)
    },
  }
  transferHandlers.set('throw', handler)
}

const installed = Symbol.for('waystone error transfer')
