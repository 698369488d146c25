/** What the runs of a Node process say that they run in, for `software.host` of a runtime: such as `node 24`. */
export function nodeHost(): string {
  return `node ${String(process.versions.node.split('.', 1)[0])}`
}
