import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProperties } from '#src/config/properties.js'
import { environmentSource, fileSource, mergeSources, optionOfVariable, overrideSource } from '#src/config/sources.js'

test('variables of the image become options', () => {
  assert.equal(optionOfVariable('KAFKA_NODE_ID'), 'node.id')
  assert.equal(optionOfVariable('KAFKA_LISTENER_NAME_A__B_MAX_CONNECTIONS'), 'listener.name.a_b.max.connections')
  assert.equal(optionOfVariable('KAFKA_A___B'), 'a-b')
  assert.equal(optionOfVariable('KAFKA_HEAP_OPTS'), null)
  assert.equal(optionOfVariable('PATH'), null)
})

test('only what is set in the environment counts', () => {
  const source = environmentSource({ KAFKA_NODE_ID: '7', KAFKA_OPTS: '-X', HOME: '/', KAFKA_LOG_DIRS: undefined })
  assert.deepEqual([...source.properties], [['node.id', '7']])
  assert.equal(source.originOf('node.id'), 'environment variable KAFKA_NODE_ID')
})

test('overrides are key=value, and the value may hold more of it', () => {
  const overrides = overrideSource(['num.partitions=3', 'listeners = A://:1?x=y', 'num.partitions=4'])
  assert.ok(overrides.ok)
  assert.deepEqual(
    [...overrides.source.properties],
    [
      ['num.partitions', '4'],
      ['listeners', ' A://:1?x=y'],
    ],
  )
})

test('an override without a name or a value is refused', () => {
  assert.deepEqual(overrideSource(['num.partitions', '=3']), {
    ok: false,
    problems: ['--override num.partitions: write it as key=value', '--override =3: write it as key=value'],
  })
})

test('an option of a file is found by its line', () => {
  const file = parseProperties('# comment\nnum.partitions=3\n', 'server.properties')
  assert.ok(file.ok)
  const source = fileSource('server.properties', file)
  assert.equal(source.originOf('num.partitions'), 'server.properties:2')
})

test('later sources win and are named as the origin', () => {
  const merged = mergeSources([
    {
      properties: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
      originOf: name => `file:${name}`,
    },
    { properties: new Map([['b', '3']]), originOf: () => '--override' },
  ])
  assert.deepEqual(
    [...merged.properties],
    [
      ['a', '1'],
      ['b', '3'],
    ],
  )
  assert.deepEqual(
    [...merged.origins],
    [
      ['a', 'file:a'],
      ['b', '--override'],
    ],
  )
})
