/** Bytes that are not what the protocol says they must be. The only error that reading raises. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}
