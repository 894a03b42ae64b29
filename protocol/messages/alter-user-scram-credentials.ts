import { api, array, bytes, int8, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Changes SCRAM credentials. */
export const AlterUserScramCredentials = api({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: '0',
  flexible: '0+',
  listeners: ['broker', 'controller'],
  request: {
    deletions: array(struct({ name: string, mechanism: int8 })),
    upsertions: array(struct({ name: string, mechanism: int8, iterations: int32, salt: bytes, saltedPassword: bytes })),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array(struct({ user: string, errorCode: int16, errorMessage: string.nullable() })),
  },
})

export interface AlterUserScramCredentialsRequest extends RequestOf<typeof AlterUserScramCredentials> {}
export interface AlterUserScramCredentialsResponse extends ResponseOf<typeof AlterUserScramCredentials> {}
