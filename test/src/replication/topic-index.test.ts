import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { absenceCode, TopicIndex } from '#src/replication/topic-index.js'
import { SeededRandom, testSeed } from '../../support/random.js'

function idBytes(id: string): Buffer {
  return Buffer.from(id, 'base64url')
}

test('a topic is found by name, by id and by the bytes of both, until it is removed', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const index = new TopicIndex()
  const known = new Map<string, string>()
  for (let step = 0; step < 5000; step++) {
    const name = `topic-${random.below(3000)}`
    const id = known.get(name)
    if (random.below(4) === 0) {
      if (id === undefined) {
        const fresh = random.uuid()
        index.add(name, fresh, 1)
        known.set(name, fresh)
      } else {
        index.remove(index.byName(name)!)
        known.delete(name)
        assert.equal(index.byIdBytes(idBytes(id), 0), undefined, `seed ${seed}`)
      }
    }
    const bytes = Buffer.from(`xx${name}yy`)
    assert.equal(index.byNameBytes(bytes, 2, bytes.length - 4)?.id, known.get(name), `seed ${seed}`)
    assert.equal(index.byName(name)?.id, known.get(name))
    if (known.has(name)) assert.equal(index.byIdBytes(idBytes(known.get(name)!), 0)?.name, name, `seed ${seed}`)
  }
  assert.equal(index.size, known.size)
})

test('a topic that was deleted and made again is the new one', () => {
  const index = new TopicIndex()
  const old = index.add('t', 'AAAAAAAAAAAAAAAAAAAACQ', 1)
  assert.equal(index.byNameBytes(Buffer.from('t'), 0, 1), old)
  index.remove(old)
  const renewed = index.add('t', 'AAAAAAAAAAAAAAAAAAAACg', 1)
  assert.equal(index.byNameBytes(Buffer.from('t'), 0, 1), renewed)
  assert.throws(() => index.add('t', 'AAAAAAAAAAAAAAAAAAAADA', 1), /there already/)
})

test('names and ids that nobody has are not found, however long they are', () => {
  const index = new TopicIndex()
  assert.equal(index.byNameBytes(Buffer.alloc(30_000, 97), 0, 30_000), undefined)
  assert.equal(index.byNameBytes(Buffer.alloc(0), 0, 0), undefined)
  assert.equal(index.byIdBytes(Buffer.alloc(16), 0), undefined)
})

test('why a partition is not here has a code', () => {
  const index = new TopicIndex()
  const topic = index.add('__consumer_offsets', 'AAAAAAAAAAAAAAAAAAAACQ', 2)
  assert.equal(topic.isInternal, true)
  topic.offline.add(1)
  assert.equal(absenceCode(topic, -1), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(absenceCode(topic, 2), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(absenceCode(topic, 1), ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(absenceCode(topic, 0), ErrorCode.NOT_LEADER_OR_FOLLOWER)
})
