import { type Api, inRange } from '#protocol/schema.js'

/**
 * What an API answers when the whole request failed: the code in all the places where Kafka puts it. Most APIs have one
 * error code for the whole response; the table below has the others, whose codes stand at each item, filled in for
 * every item of the request.
 */
export function errorResponse(
  // biome-ignore lint/suspicious/noExplicitAny: any API at all
  api: Api<any, any>,
  version: number,
  request: unknown,
  code: number,
  message: string | null,
): object {
  const shape = SHAPES[api.key]?.(request as Items, { code, message, version })
  if (shape !== undefined) return shape
  const { errorCode, errorMessage } = api.response.fields
  if (errorCode === undefined || !inRange(errorCode.spec.versions, version)) return {}
  return { errorCode: code, ...(errorMessage === undefined ? {} : { errorMessage: message }) }
}

interface Failure {
  readonly code: number
  readonly message: string | null
  readonly version: number
}

// biome-ignore lint/suspicious/noExplicitAny: decoded requests of all APIs
type Items = any
/** Undefined: in this version the code stands at the top. */
type Shape = (request: Items, failure: Failure) => object | undefined

const described: Shape = (q, { code, message }) => ({
  groups: (q.groups ?? q.groupIds).map((groupId: string) => ({ groupId, errorCode: code, errorMessage: message })),
})

const configured: Shape = (q, { code, message }) => ({
  responses: q.resources.map((r: Items) => ({
    resourceType: r.resourceType,
    resourceName: r.resourceName,
    errorCode: code,
    errorMessage: message,
  })),
})

const shareState: Shape = (q, { code, message }) => ({
  results: q.topics.map((t: Items) => ({
    topicId: t.topicId,
    partitions: t.partitions.map((p: Items) => ({
      partition: p.partition,
      errorCode: code,
      errorMessage: message,
      startOffset: -1,
    })),
  })),
})

const committed: Shape = (q, { code }) => ({
  topics: q.topics.map((t: Items) => ({
    name: t.name,
    topicId: t.topicId,
    partitions: t.partitions.map((p: Items) => ({ partitionIndex: p.partitionIndex, errorCode: code })),
  })),
})

const SHAPES: Readonly<Record<number, Shape>> = {
  // Produce
  0: (q, { code, message }) => ({
    responses: q.topicData.map((t: Items) => ({
      name: t.name,
      topicId: t.topicId,
      partitionResponses: t.partitionData.map((p: Items) => ({
        index: p.index,
        errorCode: code,
        baseOffset: -1,
        recordErrors: [],
        errorMessage: message,
      })),
    })),
  }),
  // Fetch: from 13 on the code at the top is enough
  1: (q, { code, version }) => ({
    errorCode: code,
    responses:
      version >= 13
        ? []
        : q.topics.map((t: Items) => ({
            topic: t.topic,
            partitions: t.partitions.map((p: Items) => ({
              partitionIndex: p.partition,
              errorCode: code,
              highWatermark: -1,
              abortedTransactions: null,
              records: Buffer.alloc(0),
            })),
          })),
  }),
  // ListOffsets
  2: (q, { code }) => ({
    topics: q.topics.map((t: Items) => ({
      name: t.name,
      partitions: t.partitions.map((p: Items) => ({ partitionIndex: p.partitionIndex, errorCode: code })),
    })),
  }),
  // Metadata
  3: (q, { code }) => ({
    brokers: [],
    topics: (q.topics ?? []).map((t: Items) => ({
      errorCode: code,
      name: t.name ?? '',
      topicId: t.topicId,
      partitions: [],
    })),
    errorCode: code,
  }),
  // OffsetCommit, TxnOffsetCommit
  8: committed,
  28: committed,
  // OffsetFetch: at each partition, at the top, at each group
  9: (q, { code, version }) => {
    if (version >= 8)
      return { groups: q.groups.map((g: Items) => ({ groupId: g.groupId, topics: [], errorCode: code })) }
    if (version >= 2) return { errorCode: code, topics: [] }
    return {
      topics: q.topics.map((t: Items) => ({
        name: t.name,
        partitions: t.partitionIndexes.map((partitionIndex: number) => ({
          partitionIndex,
          committedOffset: -1,
          metadata: '',
          errorCode: code,
        })),
      })),
    }
  },
  // FindCoordinator
  10: (q, { code, message, version }) => {
    const nobody = { nodeId: -1, host: '', port: -1, errorCode: code, errorMessage: message }
    return version < 4 ? nobody : { coordinators: q.coordinatorKeys.map((key: string) => ({ key, ...nobody })) }
  },
  // JoinGroup
  11: (_q, { code, version }) => ({
    errorCode: code,
    protocolName: version >= 7 ? null : '',
    leader: '',
    memberId: '',
    members: [],
  }),
  15: described,
  69: described,
  77: described,
  89: described,
  // CreateTopics
  19: (q, { code, message }) => ({
    topics: q.topics.map((t: Items) => ({ name: t.name, errorCode: code, errorMessage: message })),
  }),
  // DeleteTopics
  20: (q, { code, version }) => ({
    responses:
      version >= 6
        ? q.topics.map((t: Items) => ({ name: t.name, topicId: t.topicId, errorCode: code }))
        : q.topicNames.map((name: string) => ({ name, errorCode: code })),
  }),
  // DeleteRecords
  21: (q, { code }) => ({
    topics: q.topics.map((t: Items) => ({
      name: t.name,
      partitions: t.partitions.map((p: Items) => ({
        partitionIndex: p.partitionIndex,
        lowWatermark: -1,
        errorCode: code,
      })),
    })),
  }),
  // InitProducerId
  22: (_q, { code }) => ({ errorCode: code, producerEpoch: -1 }),
  // OffsetForLeaderEpoch
  23: (q, { code }) => ({
    topics: q.topics.map((t: Items) => ({
      topic: t.topic,
      partitions: t.partitions.map((p: Items) => ({ partition: p.partition, errorCode: code })),
    })),
  }),
  // AddPartitionsToTxn
  24: (q, { code, version }) =>
    version >= 4
      ? undefined
      : {
          resultsByTopicV3AndBelow: q.v3AndBelowTopics.map((t: Items) => ({
            name: t.name,
            resultsByPartition: t.partitions.map((partitionIndex: number) => ({
              partitionIndex,
              partitionErrorCode: code,
            })),
          })),
        },
  // WriteTxnMarkers
  27: (q, { code }) => ({
    markers: q.markers.map((m: Items) => ({
      producerId: m.producerId,
      topics: m.topics.map((t: Items) => ({
        name: t.name,
        partitions: t.partitionIndexes.map((partitionIndex: number) => ({ partitionIndex, errorCode: code })),
      })),
    })),
  }),
  // CreateAcls, DeleteAcls
  30: (q, { code, message }) => ({ results: q.creations.map(() => ({ errorCode: code, errorMessage: message })) }),
  31: (q, { code, message }) => ({
    filterResults: q.filters.map(() => ({ errorCode: code, errorMessage: message, matchingAcls: [] })),
  }),
  // DescribeConfigs
  32: (q, { code, message }) => ({
    results: q.resources.map((r: Items) => ({
      resourceType: r.resourceType,
      resourceName: r.resourceName,
      errorCode: code,
      errorMessage: message,
      configs: [],
    })),
  }),
  // AlterConfigs, IncrementalAlterConfigs
  33: configured,
  44: configured,
  // AlterReplicaLogDirs
  34: (q, { code }) => ({
    results: q.dirs.flatMap((d: Items) =>
      d.topics.map((t: Items) => ({
        topicName: t.name,
        partitions: t.partitions.map((partitionIndex: number) => ({ partitionIndex, errorCode: code })),
      })),
    ),
  }),
  // DescribeLogDirs: below 3 there is nowhere to put it
  35: (_q, { code }) => ({ errorCode: code, results: [] }),
  // CreatePartitions
  37: (q, { code, message }) => ({
    results: q.topics.map((t: Items) => ({ name: t.name, errorCode: code, errorMessage: message })),
  }),
  // DeleteGroups
  42: (q, { code }) => ({ results: q.groupsNames.map((groupId: string) => ({ groupId, errorCode: code })) }),
  // ElectLeaders
  43: (q, { code, message, version }) => ({
    errorCode: code,
    replicaElectionResults:
      version >= 1
        ? []
        : (q.topicPartitions ?? []).map((t: Items) => ({
            topic: t.topic,
            partitionResult: t.partitions.map((partitionId: number) => ({
              partitionId,
              errorCode: code,
              errorMessage: message,
            })),
          })),
  }),
  // AlterClientQuotas
  49: (q, { code, message }) => ({
    entries: q.entries.map((e: Items) => ({ errorCode: code, errorMessage: message, entity: e.entity })),
  }),
  // AlterUserScramCredentials
  51: (q, { code, message }) => ({
    results: [...new Set([...q.deletions, ...q.upsertions].map((u: Items) => u.name))].map(user => ({
      user,
      errorCode: code,
      errorMessage: message,
    })),
  }),
  // DescribeProducers
  61: (q, { code }) => ({
    topics: q.topics.map((t: Items) => ({
      name: t.name,
      partitions: t.partitionIndexes.map((partitionIndex: number) => ({
        partitionIndex,
        errorCode: code,
        activeProducers: [],
      })),
    })),
  }),
  // DescribeTransactions
  65: (q, { code }) => ({
    transactionStates: q.transactionalIds.map((transactionalId: string) => ({ transactionalId, errorCode: code })),
  }),
  // DescribeTopicPartitions
  75: (q, { code }) => ({
    topics: q.topics.map((t: Items) => ({ name: t.name, errorCode: code, partitions: [] })),
    nextCursor: null,
  }),
  83: shareState,
  84: shareState,
  85: shareState,
  86: shareState,
  87: shareState,
  // DescribeShareGroupOffsets
  90: (q, { code, message }) => ({
    groups: q.groups.map((g: Items) => ({ groupId: g.groupId, topics: [], errorCode: code, errorMessage: message })),
  }),
}
