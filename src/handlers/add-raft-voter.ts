import { AddRaftVoter } from '#protocol/messages/add-raft-voter.js'
import { answerAddVoter } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * AddRaftVoter 0-1.
 * Behaviour: answered by the leader of the metadata quorum: a controller that has caught up becomes a voter. Needs
 *            kraft.version 1; one change of the voters at a time.
 * Versions:  1 the answer may come before the change is committed (KIP-1186).
 */
export const addRaftVoter = handler(AddRaftVoter, (services: QuorumServices, request, context) =>
  answerAddVoter(askerOf(services), request, sourceOf(services, context)),
)
