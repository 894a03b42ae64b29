import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OptionScope } from '#src/config/option.js'
import { findOption } from '#src/config/options.js'
import { parseHostPort, parseValue } from '#src/config/values.js'
import { recorded } from './recorded.js'

interface RecordedValue {
  readonly scope: OptionScope
  readonly name: string
  readonly in: string
  readonly out?: string
  readonly err?: string
}

function parse(scope: OptionScope, name: string, text: string) {
  const option = findOption(scope, name)
  assert.ok(option, name)
  return parseValue(name, option, text)
}

test('values are taken, written and refused in the words of Kafka', () => {
  for (const line of recorded<RecordedValue>('values.jsonl')) {
    const parsed = parse(line.scope, line.name, line.in)
    const answer = parsed.ok ? { out: parsed.text } : { err: parsed.message }
    const expected = line.err === undefined ? { out: line.out } : { err: line.err }
    assert.deepEqual(answer, expected, `${line.name}=${line.in}`)
  }
})

test('the largest LONG is Infinity as a number and stays itself as text', () => {
  const parsed = parse('topic', 'flush.messages', ' 9223372036854775807')
  assert.deepEqual(parsed, { ok: true, value: Number.POSITIVE_INFINITY, text: '9223372036854775807' })
})

test('a LONG beyond the safe integers keeps its text exactly', () => {
  const parsed = parse('topic', 'retention.ms', '9007199254740993')
  assert.ok(parsed.ok)
  assert.equal(parsed.text, '9007199254740993')
})

test('a very long row of digits is not a number', () => {
  assert.equal(parse('topic', 'retention.ms', '1'.repeat(100_000)).ok, false)
})

test('lists lose the white space around their commas and their duplicates', () => {
  const parsed = parse('topic', 'cleanup.policy', ' compact ,delete,compact')
  assert.deepEqual(parsed, { ok: true, value: ['compact', 'delete'], text: 'compact,delete' })
})

test('only classes of Kafka itself can be named', () => {
  assert.equal(parse('broker', 'principal.builder.class', 'com.example.Builder').ok, false)
  const own = 'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder'
  assert.equal(parse('broker', 'principal.builder.class', own).ok, true)
})

test('brackets around an IPv6 address are dropped', () => {
  assert.deepEqual(parseHostPort('[::1]:9093'), { host: '::1', port: 9093 })
  assert.deepEqual(parseHostPort('host:1'), { host: 'host', port: 1 })
  assert.equal(parseHostPort('host'), null)
})
