import type { Head } from '@waystone/core'
import type { LogMirror, Seen } from './log-mirror.ts'
import type { Note } from './person.ts'
import type { SimDisk } from './sim-disk.ts'
import type { SimWorld } from './sim-world.ts'

const consuming = new Set(['receive', 'interrupt', 'cancel', 'retry', 'decide', 'refuse', 'unwind'])

/** What counts for the budget of a run. */
const counted = new Set(['step', 'once', 'spawn'])

/** What holds in every log, looked at with every entry that is stored. */
export function watchLog(disk: SimDisk, world: SimWorld): void {
  disk.onAdded = (mirror, added) => check(disk, mirror, added, world)
}

/** What holds at the edge besides: it sets nothing aside, and only it changes the owner, one epoch at a time. */
export function watchEdge(disk: SimDisk, world: SimWorld): void {
  disk.onAdded = (mirror, added) => {
    check(disk, mirror, added, world)
    if (mirror.aside.size > 0) world.fail(`the edge has set aside entries of ${mirror.run}`)
    for (const entry of added) {
      const before = mirror.at(entry.seq - 1)
      if (before === undefined) continue
      const isClaim = entry.kind === 'claim'
      const epoch = isClaim ? before.epoch + 1 : before.epoch
      if (entry.epoch !== epoch)
        world.fail(
          `entry ${String(entry.seq)} of ${mirror.run} has epoch ${String(entry.epoch)} after ${String(before.epoch)}`,
        )
      if (!isClaim && entry.owner !== before.owner)
        world.fail(
          `entry ${String(entry.seq)} of ${mirror.run} is of ${entry.owner}, and ${before.owner} owns the run`,
        )
    }
  }
}

type Added = Parameters<SimDisk['onAdded']>

function check(disk: SimDisk, mirror: Added[0], added: Added[1], world: SimWorld): void {
  const { run } = mirror
  const where = `of ${run} in ${disk.name}`
  for (const { seq, kind, body, prev } of added) {
    world.tell(`${disk.name}: ${run} ${String(seq)} ${kind} ${String(body['path'] ?? body['reason'] ?? '')}`)
    const before = mirror.at(seq - 1)
    if (before && before.digest !== prev)
      world.fail(`entry ${String(seq)} ${where} does not follow entry ${String(seq - 1)}`)
    if (kind === 'answer') {
      const { ask, answer } = body as { readonly ask: string; readonly answer: { readonly value?: string } }
      if (answer.value !== undefined && answer.value !== `answer to ${ask}`)
        world.fail(`entry ${String(seq)} ${where} answers ${ask} with ${answer.value}`)
    }
    if (kind === 'pause') {
      const error = body['error'] as { readonly code: string; readonly message: string }
      if (error.code === 'bug') world.fail(`${run} paused with a bug: ${error.message}`)
    }
    if (counted.has(kind)) checkBudget(mirror, seq, world)
    if (kind === 'once.start') checkKey(mirror, seq, body, world)
    if (kind === 'undo' || kind === 'rewind' || kind === 'cancel') checkTakenBack(mirror, seq, world)
    const ids = consumedBy({ kind, body })
    if (ids.length === 0) continue
    // A way back ends with a cancel, or is refused where it would have arrived when its point cannot be reached any more.
    const others = mirror.entries.filter((other) => other.seq !== seq && !isWayBack(other.kind, kind))
    const twice = others.find((other) => consumedBy(other).some((id) => ids.includes(id)))
    if (twice)
      world.fail(`entries ${String(twice.seq)} and ${String(seq)} ${where} both consume ${ids.join()}`)
  }
}

const wayBackEnds = new Set(['cancel', 'refuse'])

function isWayBack(one: string, other: string): boolean {
  return (one === 'unwind' && wayBackEnds.has(other)) || (other === 'unwind' && wayBackEnds.has(one))
}

/** A run does no more than it may since it began, or was last allowed to; an effect that was started is brought to its end. */
function checkBudget(mirror: Added[0], seq: number, world: SimWorld): void {
  const known = mirror.entries.filter((entry) => entry.seq <= seq)
  const from = known.findLast(({ kind, body }) => kind === 'start' || (kind === 'retry' && body['budget']))
  const { steps: limit } = (from?.body['budget'] ?? {}) as { readonly steps?: number }
  if (from === undefined || limit === undefined) return
  const since = known.filter((entry) => entry.seq > from.seq && counted.has(entry.kind)).length
  const started = known.filter(({ kind }) => kind === 'once.start').length
  if (since > limit + started)
    world.fail(`${mirror.run} may do ${String(limit)} steps and has done ${String(since)}`)
}

/** After a way back an effect is another one: its key, by which others know it, is as well. */
function checkKey(
  mirror: Added[0],
  seq: number,
  { key, path }: Added[1][number]['body'],
  world: SimWorld,
): void {
  const before = mirror.entries.find(
    (entry) => entry.kind === 'once.start' && entry.seq < seq && entry.body['key'] === key,
  )
  if (before === undefined) return
  const isBack = mirror.entries.some(
    ({ kind, seq: at, body }) =>
      kind === 'rewind' && at > before.seq && at < seq && (body['to'] as Head).seq < before.seq,
  )
  if (isBack) world.fail(`effect ${String(path)} of ${mirror.run} has the key of the one before the way back`)
}

/** A way back that takes effects back begins with the newest one, and ends when all that happened after its point are. */
function checkTakenBack(mirror: Added[0], seq: number, world: SimWorld): void {
  const before = mirror.entries.filter((entry) => entry.seq < seq)
  const { kind, body } = mirror.at(seq) as Added[1][number]
  const order = before.findLast((entry) => entry.kind === 'unwind')
  if (order?.body['undo'] !== true || (kind !== 'undo' && order.body['id'] !== body['id'])) return
  // After a way back the key of an effect stands for its start.
  const starts = before.filter((one) => one.kind === 'once.start')
  const keys = new Map<unknown, unknown>(starts.map((one) => [one.digest, one.body['key']]))
  const keyOf = ({ body: { start } }: Pick<Added[1][number], 'body'>): unknown => keys.get(start) ?? start
  const undone = new Set(before.flatMap((one) => (one.kind === 'undo' ? [keyOf(one)] : [])))
  const left = before.filter(
    (one) =>
      one.kind === 'once' &&
      one.seq > (order.body['to'] as number) &&
      'value' in (one.body['outcome'] as object) &&
      !undone.has(keyOf(one)),
  )
  const mine = left.findLast((one) => keyOf(one) === keyOf({ body }))
  const newer = mine && left.find((one) => one.seq > mine.seq)
  if (kind === 'undo' && newer)
    world.fail(`${mirror.run} takes back what entry ${String(mine.seq)} says before ${String(newer.seq)}`)
  if (kind !== 'undo' && left[0])
    world.fail(`${mirror.run} went back, and what entry ${String(left[0].seq)} says was not taken back`)
}

/**
 * What a device was told to be sent is taken before what it sends after that: a message that is passed over is lost with a
 * run that ends. What a device took and has forgotten since, with its disk, is not asked for.
 */
export function checkNotes(notes: readonly Note[], log: LogMirror, world: SimWorld): void {
  const taken = log.entries.flatMap(consumedBy)
  const known = notes.filter(({ run, device }) => run === log.run && !device.disk.isForgetful)
  for (const { id, device, acknowledged = Infinity } of known) {
    const at = taken.indexOf(id)
    const later = known.filter((other) => other.device === device && other.sent > acknowledged)
    const before = later.find((other) => taken.includes(other.id) && (at < 0 || taken.indexOf(other.id) < at))
    if (before === undefined) continue
    const what = `${id} was acknowledged to ${device.name} before it sent ${before.id} to ${log.run}`
    world.fail(at < 0 ? `${what}, and is lost` : `${what}, and was taken after it`)
  }
}

/** What has come to the edge is taken in that order: one that was passed over is lost. */
export function checkArrived(disk: SimDisk, world: SimWorld): void {
  for (const [run, notes] of disk.notes) {
    const gone = new Set(disk.mirror(run).entries.flatMap(consumedBy))
    const taken = notes.map((id) => gone.has(id))
    const lost = taken.indexOf(false)
    if (lost >= 0 && lost < taken.lastIndexOf(true))
      world.fail(`${String(notes[lost])} had come to ${run} and is lost`)
  }
}

/** The ids of what an entry takes from the inbox. */
function consumedBy({ kind, body }: Pick<Seen, 'kind' | 'body'>): readonly string[] {
  if (kind === 'drain') return (body['items'] as readonly { readonly id: string }[]).map(({ id }) => id)
  return consuming.has(kind) ? [body['id'] as string] : []
}
