// The page's Web Worker: hosts the agent with what a browser provides. Publishing is not among it: that is the edge's.
import { serveAgents } from '@waystone/browser'
import { askTheDocs, extractWriter, modelWriter } from './agent.ts'
import { fetchTextInBrowser } from './page/fetch-text.ts'
import { parseSettings } from './page/worker-settings.ts'

const { model, token, wordMs } = parseSettings(self.name)

serveAgents({
  agents: [
    askTheDocs.provide({
      fetchText: fetchTextInBrowser(token),
      writer: model === undefined ? extractWriter(wordMs) : modelWriter(model),
    }),
  ],
})
