import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseProperties } from '#src/config/properties.js'
import { renderReference } from '#src/config/reference.js'
import { brokerConfigFrom } from '#src/config/start.js'

const CONFIG_DIRECTORY = new URL('../../../../config/', import.meta.url)

test('config/REFERENCE.md is what the options say; UPDATE=1 writes it anew', () => {
  const url = new URL('REFERENCE.md', CONFIG_DIRECTORY)
  const rendered = renderReference()
  if (process.env.UPDATE === '1') writeFileSync(url, rendered)
  assert.equal(readFileSync(url, 'utf8'), rendered)
})

test('a broker starts with config/server.properties, and every option in it acts', () => {
  const file = parseProperties(
    readFileSync(new URL('server.properties', CONFIG_DIRECTORY), 'utf8'),
    'server.properties',
  )
  assert.ok(file.ok)
  const start = brokerConfigFrom({ properties: file.properties })
  assert.ok(start.ok, start.ok ? '' : start.lines.join('\n'))
  assert.deepEqual(start.warnings, [])
})
