import {
  DescribeQuorum,
  type DescribeQuorumRequest,
  type DescribeQuorumResponse,
} from '#protocol/messages/describe-quorum.js'
import { handler } from './handler.js'

/** What this handler uses of the metadata quorum; raft/driver.ts has it. */
export interface QuorumView {
  describeQuorum(request: DescribeQuorumRequest): Promise<DescribeQuorumResponse>
}

/**
 * DescribeQuorum 0-2.
 * Behaviour: answered by the leader of the metadata quorum, another node says NOT_LEADER_OR_FOLLOWER; there is only
 *            partition 0 of `__cluster_metadata`. Observers are forgotten after five minutes without a fetch.
 * Versions:  1 times of fetches (KIP-836), 2 directory ids, endpoints of the voters and error messages (KIP-853).
 */
export const describeQuorum = handler(DescribeQuorum, ({ quorum }: { readonly quorum: QuorumView }, request) =>
  quorum.describeQuorum(request),
)
