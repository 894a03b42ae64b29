import { ErrorCode } from '#protocol/errors.js'
import { ApiVersions, type ApiVersionsRequest } from '#protocol/messages/api-versions.js'
import type { ListenerKind } from '#protocol/schema.js'
import { handler } from './handler.js'

/** What this node says of itself. Live views: asked for every answer. */
export interface AdvertisedVersions {
  /** In the order of the keys. */
  apis(
    kind: ListenerKind,
  ): readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[]
  supportedFeatures(): readonly { readonly name: string; readonly minVersion: number; readonly maxVersion: number }[]
  /** Levels above 0 by name, and the metadata offset that they are of; -1 before there is any. */
  finalizedFeatures(): { readonly epoch: number; readonly levels: ReadonlyMap<string, number> }
  readonly clusterId: string
  readonly nodeId: number
}

/** How clients may call themselves (KIP-511). */
const CLIENT_SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** Since this version a feature may begin with level 0: older clients fail over it (KAFKA-17011). */
const FEATURES_FROM_ZERO_FROM = 4

/**
 * ApiVersions 0-5.
 * Behaviour: what this node serves on this kind of listener, and its features. A version that nobody knows is answered
 *            by the dispatcher. A client that expected another cluster or node is told to bootstrap anew (KIP-1242).
 * Versions:  1 throttling, 3 flexible, client software, features, 4 features that begin with level 0, 5 cluster and
 *            node.
 */
export const apiVersions = handler(
  ApiVersions,
  ({ advertised }: { readonly advertised: AdvertisedVersions }, request, { apiVersion, listenerKind }) => {
    const refusal = refusalOf(advertised, request, apiVersion, listenerKind)
    if (refusal !== ErrorCode.NONE) return { errorCode: refusal, apiKeys: [] }
    const { epoch, levels } = advertised.finalizedFeatures()
    return {
      errorCode: ErrorCode.NONE,
      apiKeys: advertised.apis(listenerKind),
      supportedFeatures: advertised
        .supportedFeatures()
        .filter(({ minVersion }) => minVersion > 0 || apiVersion >= FEATURES_FROM_ZERO_FROM),
      finalizedFeaturesEpoch: epoch,
      finalizedFeatures: [...levels].map(([name, level]) => ({ name, minVersionLevel: level, maxVersionLevel: level })),
    }
  },
)

function refusalOf(
  { clusterId, nodeId }: AdvertisedVersions,
  request: ApiVersionsRequest,
  version: number,
  listenerKind: ListenerKind,
): number {
  if (version >= 3) {
    const { clientSoftwareName, clientSoftwareVersion } = request
    if (!CLIENT_SOFTWARE.test(clientSoftwareName) || !CLIENT_SOFTWARE.test(clientSoftwareVersion)) {
      return ErrorCode.INVALID_REQUEST
    }
  }
  if (version >= 5 && listenerKind === 'broker') {
    if ((request.clusterId === null) !== (request.nodeId === -1)) return ErrorCode.INVALID_REQUEST
    if (request.clusterId !== null && (request.clusterId !== clusterId || request.nodeId !== nodeId)) {
      return ErrorCode.REBOOTSTRAP_REQUIRED
    }
  }
  return ErrorCode.NONE
}
