/** `process.roles` of a node. */
export type Roles = 'broker' | 'controller' | 'broker,controller'
