import { serveAgents } from '@waystone/browser'
import { agents, pageOnly } from './agents.ts'
import { encryptionFor } from './encryption-for.ts'

const encryption = encryptionFor(new URLSearchParams(location.search))
serveAgents({
  agents: [...agents, pageOnly],
  versions: { ai: '7.0.1' },
  ...(encryption ? { encryption } : {}),
})
