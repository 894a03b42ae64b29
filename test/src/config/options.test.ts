import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnyOption, OptionScope } from '#src/config/option.js'
import { brokerOptionOf, brokerSynonyms, findOption, listenerBaseName, optionsOf } from '#src/config/options.js'
import { parseValue } from '#src/config/values.js'

const SCOPES: readonly OptionScope[] = ['broker', 'topic', 'group', 'client-metrics']

function everyOption(): readonly (readonly [OptionScope, string, AnyOption])[] {
  return SCOPES.flatMap(scope =>
    Object.entries(optionsOf(scope)).map(([name, option]) => [scope, name, option] as const),
  )
}

test('every option of Kafka 4.4 is there', () => {
  const counts = SCOPES.map(scope => Object.keys(optionsOf(scope)).length)
  // 379 in properties files, three rates that exist only dynamically, and one option that is not Kafka's.
  assert.deepEqual(counts, [379 + 3 + 1, 38, 27, 3])
})

test('every option says what it is, and those that act in part say in which', () => {
  for (const [scope, name, option] of everyOption()) {
    assert.match(option.doc, /^[A-Z].*\.$/, `${scope} ${name}`)
    assert.equal(option.note !== null, option.acts === 'partly', `${scope} ${name}`)
  }
})

test('every default is taken by its option and written as it stands', () => {
  for (const [scope, name, option] of everyOption()) {
    if (option.defaultText === null) continue
    const parsed = parseValue(name, option, option.defaultText)
    assert.ok(parsed.ok && parsed.text === option.defaultText, `${scope} ${name}=${option.defaultText}`)
  }
})

test('every synonym is a broker option', () => {
  for (const [scope, name, option] of everyOption()) {
    for (const synonym of option.synonyms) {
      assert.ok(findOption('broker', synonym), `${scope} ${name}: ${synonym}`)
    }
    if (scope === 'broker' && option.synonyms.length > 0) assert.ok(option.synonyms.includes(name), name)
  }
})

test('a topic option has the type of the broker option that gives its default', () => {
  for (const [name, option] of Object.entries(optionsOf('topic'))) {
    const server = option.synonyms[0] === undefined ? null : findOption('broker', option.synonyms[0])
    if (server !== null) assert.equal(server.type, option.type, name)
  }
})

test("a listener's option has the type of the whole broker's", () => {
  assert.equal(listenerBaseName('listener.name.plaintext.max.connections'), 'max.connections')
  assert.equal(listenerBaseName('max.connections'), null)
  assert.equal(brokerOptionOf('listener.name.plaintext.max.connections')?.type, 'INT')
  assert.equal(brokerOptionOf('listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config')?.type, 'PASSWORD')
  assert.equal(brokerOptionOf('listener.name.plaintext.made.up'), null)
})

test('units of one thing are synonyms, the finest first', () => {
  const retention = ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours']
  assert.deepEqual(brokerSynonyms('log.retention.hours'), retention)
  assert.deepEqual(brokerSynonyms('num.partitions'), ['num.partitions'])
})

test('names from the prototype of objects are not options', () => {
  assert.equal(findOption('broker', 'toString'), null)
  assert.equal(findOption('topic', '__proto__'), null)
})
