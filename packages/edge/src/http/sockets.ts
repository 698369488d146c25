/** Codes that a socket is closed with (RFC 6455, and the registry of IANA). */
export const socketCodes = {
  done: 1000,
  /** The token is over, or was taken back. */
  notLetInAnyMore: 1008,
  comeAgain: 1013,
} as const

/** After this time a device opens another socket, which knows the keys and the code of by then. In ms. */
export const socketAgeMsMax = 3_600_000

/** The code to close with what was closed with this one: those that say that nothing was said are not to be sent. */
export function closingCode(code: number): number {
  return code === 1005 || code === 1006 ? socketCodes.done : code
}

/** What does not get to a socket that is closing is nothing lost: it carries what can be asked for again. */
export function handOn(socket: WebSocket | undefined, data: string | ArrayBuffer): void {
  try {
    socket?.send(data)
  } catch {
    // Its `close` comes.
  }
}
