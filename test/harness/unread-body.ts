/**
 * Headers of a request whose body may be more than the edge reads. It ends the connection then, perhaps after its answer: no
 * other request may be on its way there.
 */
export const alone = { connection: 'close' } as const

/** What an edge answered; a connection that it has ended before its answer was through counts as `too_large`. */
export async function refusalOf(
  asking: Promise<{ readonly code?: string | undefined }>,
): Promise<string | undefined> {
  try {
    return (await asking).code
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause)
      if ('code' in cause && endings.includes(String(cause.code))) return 'too_large'
    throw error
  }
}

const endings: readonly string[] = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']
