/** A schema that takes anything: what is measured is not what a library checks. */
export const anything = {
  '~standard': { version: 1 as const, vendor: 'bench', validate: (value: unknown) => ({ value }) },
}
