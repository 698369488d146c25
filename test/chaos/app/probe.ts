/** Where in an append a worker stops when it is told to, for its process to be killed just there. */
export type AppendPoint = 'put' | 'commit' | 'complete'

/** The end of one stored record, as the store's own transaction tells it. */
export interface StoredHead {
  readonly run: string
  readonly seq: number
  readonly digest: string
  readonly durability: string
}

/** Where an append is caught: in the page, which writes a session, or in its worker, which runs agents. */
export type ProbedThread = 'page' | 'worker'

interface Armed {
  readonly point: AppendPoint
  readonly thread: ProbedThread
  /** How many appends pass before. */
  after: number
}

/**
 * Watches the transactions of a worker, or of a page (`worker` is `page`), from outside of Waystone. Every log record is told to the control server once its
 * transaction is complete, which is what an acknowledged append rests on; and when an append is to be caught in the
 * middle, the worker stands still there, in a request that is not answered. Every call passes through as it is.
 */
export function probe(control: string, life: string, worker: string): void {
  const heads = new Map<IDBTransaction, StoredHead[]>()
  const told: (StoredHead & { readonly at: number })[] = []
  let armed: Armed | undefined
  let isTelling = false

  const arming = new BroadcastChannel(`chaos-${life}`)
  arming.onmessage = ({ data }: MessageEvent<Armed>) => {
    if ((data.thread === 'page') === (worker === 'page')) armed = { ...data }
  }

  const tell = async (): Promise<void> => {
    if (isTelling) return
    isTelling = true
    while (told.length > 0) {
      const acks = told.splice(0)
      const body = JSON.stringify({ life, worker, acks })
      await fetch(`${control}/acks`, { method: 'POST', body }).catch(() => undefined)
    }
    isTelling = false
  }
  /** Stands still here when that was asked for, until the worker is ended. What is complete is told along. */
  const pass = (point: AppendPoint, acks: readonly object[] = []): boolean => {
    if (armed?.point !== point) return false
    armed.after -= 1
    if (armed.after >= 0) return false
    armed = undefined
    const request = new XMLHttpRequest()
    request.open('POST', `${control}/point`, false)
    request.send(JSON.stringify({ life, worker, point, acks }))
    return true
  }
  const complete = (tx: IDBTransaction): void => {
    const at = Date.now()
    const acks = (heads.get(tx) ?? []).map((head) => ({ ...head, at }))
    heads.delete(tx)
    if (pass('complete', acks)) return
    told.push(...acks)
    void tell()
  }

  const { put } = IDBObjectStore.prototype
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args: Parameters<typeof put>) {
    const request = put.apply(this, args)
    const key = args[1]
    if (this.name !== 'log' || !Array.isArray(key)) return request
    const tx = this.transaction
    const [run, seq, digest] = key as [string, number, string]
    const mine = heads.get(tx)
    const head = { run, seq, digest, durability: tx.durability }
    if (mine) mine.push(head)
    else {
      heads.set(tx, [head])
      tx.addEventListener('complete', () => complete(tx))
      tx.addEventListener('abort', () => heads.delete(tx))
    }
    pass('put')
    return request
  }
  const { commit } = IDBTransaction.prototype
  IDBTransaction.prototype.commit = function (this: IDBTransaction) {
    commit.call(this)
    if (heads.has(this)) pass('commit')
  }
  const began = JSON.stringify({ life, worker, began: Date.now() })
  void fetch(`${control}/worker`, { method: 'POST', body: began }).catch(() => undefined)
}
