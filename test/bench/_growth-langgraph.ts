import { stat } from 'node:fs/promises'
import { emptyCheckpoint, uuid6, type Checkpoint } from '@langchain/langgraph-checkpoint'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'
import type { Message } from './peers/peer.ts'

/**
 * Keeps a conversation with LangGraph's SQLite saver: a checkpoint a turn, as a graph writes whose state is a list of
 * messages. Gives the ms of each turn and the bytes of the file.
 */
export async function growWithLangGraph(
  file: string,
  messages: number,
  messagesOf: (turn: number) => readonly Message[],
): Promise<{ readonly turns: readonly number[]; readonly diskBytes: number }> {
  const saver = SqliteSaver.fromConnString(file)
  let config: Parameters<SqliteSaver['put']>[0] = {
    configurable: { thread_id: 'growth', checkpoint_ns: '' },
  }
  const said: Message[] = []
  const turns: number[] = []
  for (let turn = 0; turn < messages / 2; turn += 1) {
    const added = messagesOf(turn)
    const from = performance.now()
    said.push(...added)
    const checkpoint: Checkpoint = {
      ...emptyCheckpoint(),
      id: uuid6(turn),
      channel_values: { messages: said },
      channel_versions: { messages: turn + 1 },
    }
    config = await saver.put(config, checkpoint, { source: 'loop', step: turn, parents: {} })
    turns.push(performance.now() - from)
  }
  saver.db.close()
  return { turns, diskBytes: (await stat(file)).size }
}
