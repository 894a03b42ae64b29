import { ListPartitionReassignments } from '#protocol/messages/list-partition-reassignments.js'
import { listPartitionReassignments as listCommand } from '../controller/reassignment.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { handler } from './handler.js'

/**
 * ListPartitionReassignments 0.
 * Behaviour: the moves of partitions that are under way, of the partitions asked for or of all; what is not there is
 *            left out. Answered from this node's image.
 */
export const listPartitionReassignments = handler(
  ListPartitionReassignments,
  ({ metadata }: { readonly metadata: PublishedMetadata }, request) => listCommand(metadata.image, request),
)
