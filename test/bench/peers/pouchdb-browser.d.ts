/** What the benchmark uses of PouchDB: its own types bring Node's into a page. */
declare module 'pouchdb-browser' {
  export default class PouchDB {
    constructor(name: string)
    put(document: {
      readonly _id: string
      readonly _rev?: string
      readonly [field: string]: unknown
    }): Promise<{ readonly rev: string }>
    close(): Promise<void>
  }
}
