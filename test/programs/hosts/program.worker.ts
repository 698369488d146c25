import { serveAgents } from '@waystone/browser'
import { servedChat } from './served-chat.ts'
import { servedHelpDesk } from './served-help-desk.ts'

const service = new URLSearchParams(location.search).get('service') ?? location.origin
serveAgents({ agents: [servedChat(service), servedHelpDesk(service)] })
