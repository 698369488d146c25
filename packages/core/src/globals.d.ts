// What core uses of a platform beyond the language: globals that Node, browsers and workerd all have. Only these, so
// that nothing else of a platform is in reach.

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}
declare var AbortSignal: { prototype: AbortSignal }

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
declare var AbortController: { new (): AbortController; prototype: AbortController }

/** A stream that bytes go through. */
interface BytesThrough {
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> }
  }
  readonly readable: {
    getReader(): {
      read(): Promise<
        | { readonly done: false; readonly value: Uint8Array }
        | { readonly done: true; readonly value?: Uint8Array | undefined }
      >
      cancel(reason: unknown): Promise<void>
    }
  }
}
// Missing, or without this format, in browsers of before 2023.
declare var CompressionStream: (new (format: 'deflate-raw') => BytesThrough) | undefined
declare var DecompressionStream: (new (format: 'deflate-raw') => BytesThrough) | undefined
