import { serveAgents } from '@waystone/browser'
import { porter } from './agents.ts'
import { probe } from './probe.ts'

const query = new URLSearchParams(location.search)
probe(query.get('control') ?? '', query.get('life') ?? '', query.get('worker') ?? '')
serveAgents({ agents: [porter] })
