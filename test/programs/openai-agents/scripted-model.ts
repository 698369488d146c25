import type { Model, ModelRequest, StreamEvent } from '@openai/agents-core'
import { modelResponder, ScriptedModel, type ScriptedModelResponse } from '@openai/agents-core/testing'

/** A model that answers what it is asked by a script, whole or word by word, and tells of every call. */
export function scriptedModel(
  script: (request: Readonly<ModelRequest>) => ScriptedModelResponse,
  called: (request: ModelRequest) => void,
): Model {
  // The one of the SDK takes an answer from a list, by how often it was called; after a crash that is not the same.
  const once = (asked: ModelRequest): Model => {
    called(asked)
    return new ScriptedModel([modelResponder(({ request }) => script(request))])
  }
  return {
    getResponse: (request) => once(request).getResponse(request),
    async *getStreamedResponse(request) {
      for await (const event of once(request).getStreamedResponse(request)) yield* inWords(event)
    },
  }
}

function inWords(event: StreamEvent): readonly StreamEvent[] {
  if (event.type !== 'output_text_delta') return [event]
  return (event.delta.match(/\S+\s*/g) ?? []).map((delta) => ({ ...event, delta }))
}
