/** Stands for the agent in a session, which has none: no agent can have this name. */
export const sessionAgent = ''
