import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegisteredGate } from '#src/broker/registered-gate.js'
import type { MetadataDelta } from '#src/metadata/delta.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'

const NODE_ID = 3
const TOPIC_ID = 'A78Xluida82UFN_1nVoEXQ'
const OLD = 'TJXa0XITXixsmAHnNntN-g'
const OWN = 'BJK1yrnHmPJHWYl-9lLLRw'

function registration(incarnationId: string, brokerEpoch: number): MetadataRecord {
  return {
    type: 'RegisterBrokerRecord',
    version: 4,
    value: {
      brokerId: NODE_ID,
      isMigratingZkBroker: false,
      incarnationId,
      brokerEpoch,
      endPoints: [],
      features: [],
      rack: null,
      fenced: true,
      inControlledShutdown: false,
      logDirs: [],
      cordonedLogDirs: null,
    },
  }
}

test('metadata is kept back until it shows the registration of this process, and is then told as a whole', () => {
  const heard: MetadataDelta[] = []
  const acting = { name: 'acting', onMetadata: (delta: MetadataDelta) => void heard.push(delta) }
  const [gated] = new RegisteredGate(NODE_ID, OWN, [acting]).subscribers
  const state = new MetadataState()
  const publish = (...records: MetadataRecord[]): void => {
    for (const record of records) state.replay(record)
    gated!.onMetadata(state.takeDelta(), state)
  }

  publish(registration(OLD, 9), { type: 'TopicRecord', version: 0, value: { name: 'topic', topicId: TOPIC_ID } })
  assert.equal(heard.length, 0)
  publish(registration(OWN, 39))
  assert.deepEqual([...heard[0]!.topics.keys()], [TOPIC_ID])
  publish({ type: 'RemoveTopicRecord', version: 0, value: { topicId: TOPIC_ID } })
  assert.equal(heard.length, 2)
  assert.equal(heard[1]!.fromSnapshot, false)
})
