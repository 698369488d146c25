/** How a name is written in a path: a slash within it is `%2F`, so that it does not look like two names. */
export function nameInPath(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F')
}
