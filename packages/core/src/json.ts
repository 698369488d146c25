/** What `JSON.parse` gives: the stored form of everything. Whoever receives one does not change it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
