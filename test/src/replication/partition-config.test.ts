import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflatedBytesMaxDefault } from '#protocol/records/compression.js'
import { appendPolicyOf } from '#src/replication/partition-config.js'
import { defaultLogConfig } from '#storage/log-config.js'

test('no batch is let in that inflates to more than compaction and the lookup by time read again', () => {
  const policy = appendPolicyOf({ ...defaultLogConfig, minInsyncReplicas: 1, maxDecompressedMessageBytes: 1 })
  assert.ok(policy.inflatedBytesMax <= inflatedBytesMaxDefault)
})
