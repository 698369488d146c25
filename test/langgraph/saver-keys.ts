// The records of a thread, by their keys. Parts are escaped, so that a slash only ever parts them; the ids of checkpoints are
// in the order in which they were made, and so are these keys.

/** What a checkpoint is, without the values of its channels. */
export const checkpointKey = (ns: string, id: string): string => `c/${part(ns)}/${part(id)}`

/** All checkpoints, or those of a namespace. */
export const checkpointsPrefix = (ns?: string): string => (ns === undefined ? 'c/' : `c/${part(ns)}/`)

/** The value that a checkpoint has given a channel. */
export const valueKey = (ns: string, id: string, channel: string): string =>
  `v/${part(ns)}/${part(id)}/${part(channel)}`

/** Writes that no checkpoint has yet, in the order of their tasks and positions. */
export const writesPrefix = (ns: string, id: string): string => `w/${part(ns)}/${part(id)}/`

/** Special writes have positions below 0. */
export const writeKey = (ns: string, id: string, task: string, position: number): string =>
  `${writesPrefix(ns, id)}${part(task)}/${String(position + 1_000).padStart(6, '0')}`

/** The namespace and id of a checkpoint, from its key. */
export function parseCheckpointKey(key: string): { readonly ns: string; readonly id: string } {
  const [, ns = '', id = ''] = key.split('/').map(decodeURIComponent)
  return { ns, id }
}

function part(text: string): string {
  return encodeURIComponent(text)
}
