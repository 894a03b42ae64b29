/** How a principal travels inside an Envelope request. */
import { bool, message, string } from '../schema.js'

/** A principal. */
export const DefaultPrincipalData = message({
  name: 'DefaultPrincipalData',
  versions: '0',
  flexible: '0+',
  fields: { type: string, name: string, tokenAuthenticated: bool },
})
