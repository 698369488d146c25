import { covers } from '@waystone/access'
import type { Digest, Head } from '@waystone/core'
import type {
  IndexUpdate,
  IndexUpdated,
  SearchHit,
  ShardFound,
  ShardQuery,
  SnippetPart,
} from './search-entry.ts'

/** The texts of some runs of a tenant, by their words. */
export interface SqlSearch {
  put(shard: number, update: IndexUpdate): IndexUpdated
  /** Forgets some of what there is of a run; true when that was all. */
  removeSome(run: string): boolean
  find(query: ShardQuery): ShardFound
}

/**
 * `waystone_search_runs` says how far each run is indexed, `waystone_search_entries` which texts are of which entries: their ids grow in
 * the order in which they came, so that what is found comes newest first without sorting. Sizes of columns are kept by FTS5
 * for ranking only.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS waystone_search_runs (run TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_search_entries (run TEXT NOT NULL, seq INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
  CREATE VIRTUAL TABLE IF NOT EXISTS waystone_search_text USING fts5 (
    text, run UNINDEXED, seq UNINDEXED, kind UNINDEXED, time UNINDEXED, columnsize = 0, tokenize = "unicode61 remove_diacritics 2");
`

/** Shards of a tenant. Another number would look for runs where they are not: it stays as it is. */
export const shardsMax = 8
/** Ids in a millisecond, shared by all shards, so that no two have the same. */
const idsInMs = 1_024
/** Texts that are looked at for one answer: a token for one run may find none of all that have a word. */
const scannedMax = 5_000
/** A number is bound as a REAL, and FTS5 takes no notice of bounds of a rowid that are not integers (workerd, 2026-11). */
const integer = 'CAST(? AS INTEGER)'
/** Texts that are removed at once. */
const removedAtOnce = 1_000

/** What surrounds a match in a snippet: no text has them. */
const [matchStart, matchEnd] = ['\u0002', '\u0003']
const snippetWords = 24
const snippetCharsMax = 400

/** The tables of a shard. */
export function sqlSearch(storage: Pick<DurableObjectStorage, 'sql' | 'transactionSync'>): SqlSearch {
  const { sql } = storage
  sql.exec(schema)

  const headOf = (run: string): Head | undefined => {
    const query = 'SELECT seq, digest FROM waystone_search_runs WHERE run = ?'
    const [row] = sql.exec<{ seq: number; digest: string }>(query, run).toArray()
    return row && { seq: row.seq, digest: row.digest as Digest }
  }
  /** Removes texts of entries of a run: those of which this is true. Gives how many there were. */
  const remove = (run: string, which: string, value: number): number => {
    const query = `SELECT seq, id FROM waystone_search_entries WHERE run = ? AND ${which} LIMIT ${String(removedAtOnce)}`
    const rows = sql.exec<{ seq: number; id: number }>(query, run, value).toArray()
    for (const { seq, id } of rows) {
      sql.exec(`DELETE FROM waystone_search_text WHERE rowid = ${integer}`, id)
      sql.exec('DELETE FROM waystone_search_entries WHERE run = ? AND seq = ?', run, seq)
    }
    return rows.length
  }
  const nextId = (shard: number): number => {
    const query = 'SELECT rowid AS id FROM waystone_search_text ORDER BY rowid DESC LIMIT 1'
    const [last] = sql.exec<{ id: number }>(query).toArray()
    return Math.max(Date.now() * idsInMs + shard, (last?.id ?? 0) + shardsMax)
  }

  return {
    put: (shard, { run, after, from, first, entries, head }) =>
      storage.transactionSync((): IndexUpdated => {
        const known = headOf(run)
        if (known?.seq !== after?.seq || known?.digest !== after?.digest) return { ok: false, head: known }
        while (remove(run, 'seq >= ?', from) > 0);
        while (remove(run, 'seq < ?', first) > 0);
        for (const { seq, kind, time, text } of entries) {
          const id = nextId(shard)
          sql.exec(
            'INSERT INTO waystone_search_text (rowid, text, run, seq, kind, time) VALUES (?, ?, ?, ?, ?, ?)',
            id,
            text,
            run,
            seq,
            kind,
            time,
          )
          sql.exec('INSERT INTO waystone_search_entries (run, seq, id) VALUES (?, ?, ?)', run, seq, id)
        }
        sql.exec(
          'INSERT OR REPLACE INTO waystone_search_runs (run, seq, digest) VALUES (?, ?, ?)',
          run,
          head.seq,
          head.digest,
        )
        return { ok: true }
      }),
    removeSome: (run) =>
      storage.transactionSync(() => {
        // First: what was told of it until now counts for nothing, should this stop in between.
        sql.exec('DELETE FROM waystone_search_runs WHERE run = ?', run)
        return remove(run, 'seq >= ?', 0) < removedAtOnce
      }),
    find({ match, runs, before, limit }) {
      const query = `SELECT rowid AS id, run FROM waystone_search_text WHERE waystone_search_text MATCH ? AND rowid < ${integer} ORDER BY rowid DESC LIMIT ?`
      const ids: number[] = []
      let scanned = 0
      let end = 0
      for (const { id, run } of sql.exec<{ id: number; run: string }>(query, match, before, scannedMax)) {
        scanned += 1
        end = id
        if (runs.some((pattern) => covers(pattern, run))) ids.push(id)
        if (ids.length === limit) break
      }
      const isAll = scanned < scannedMax && ids.length < limit
      return { hits: ids.map((id) => hitOf(match, id)), end: isAll ? undefined : end }
    },
  }

  function hitOf(match: string, id: number): SearchHit & { readonly id: number } {
    const query = `SELECT run, seq, kind, time, snippet(waystone_search_text, 0, ?, ?, '…', ${String(snippetWords)}) AS snippet
      FROM waystone_search_text WHERE waystone_search_text MATCH ? AND rowid = ${integer}`
    const { snippet, ...hit } = sql
      .exec<{ run: string; seq: number; kind: string; time: number; snippet: string }>(
        query,
        matchStart,
        matchEnd,
        match,
        id,
      )
      .one()
    return { ...hit, snippet: partsOf(snippet), id }
  }
}

/** A snippet as parts. A word may be as long as a text: no more than a part of it is told. */
function partsOf(snippet: string): readonly SnippetPart[] {
  const parts: SnippetPart[] = []
  let left = snippetCharsMax
  for (const [index, piece] of snippet.split(matchStart).entries()) {
    const [matched, plain = ''] = index === 0 ? ['', piece] : piece.split(matchEnd)
    for (const [text, match] of [[matched ?? '', true] as const, [plain, false] as const]) {
      const some = text.slice(0, left).toWellFormed()
      if (some !== '') parts.push({ text: some, match })
      left -= some.length
    }
  }
  return parts
}
