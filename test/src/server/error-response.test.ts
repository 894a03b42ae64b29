import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestCodec, responseCodec } from '#protocol/codec.js'
import { APIS } from '#protocol/messages/index.js'
import { Reader } from '#protocol/reader.js'
import type { Api, FieldSpec, Fields } from '#protocol/schema.js'
import { inRange, ZERO_UUID } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { errorResponse } from '#src/server/error-response.js'

/** APIs between nodes, and those without an error code anywhere: their failures end the connection. */
const WITHOUT_CODE = new Set(['DescribeLogDirs 1', 'DescribeLogDirs 2'])

/** A value of a field, with one element in every list. */
function sample(spec: FieldSpec, version: number): unknown {
  switch (spec.kind) {
    case 'bool':
      return false
    case 'string':
      return 'a'
    case 'bytes':
    case 'records':
      return Buffer.from('b')
    case 'uuid':
      return ZERO_UUID
    case 'array':
      return [sample(spec.element!, version)]
    case 'struct':
      return sampleOf(spec.fields!, version)
    default:
      return 7
  }
}

function sampleOf(fields: Fields, version: number): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, { spec }] of Object.entries(fields)) {
    if (inRange(spec.versions, version)) value[name] = sample(spec, version)
  }
  return value
}

/** All error codes in a response, wherever they stand. */
function codesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(codesIn)
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    /errorCode$/i.test(name) && typeof inner === 'number' ? [inner] : codesIn(inner),
  )
}

const CODE = 41

for (const each of APIS) {
  const api = each as unknown as Api
  test(`${api.name}: a failure of the whole request stands in its response, in every version`, () => {
    for (let version = api.versions.from; version <= api.versions.to; version++) {
      const writer = new Writer()
      requestCodec(api, version).write(writer, sampleOf(api.request.fields, version) as never)
      const request = requestCodec(api, version).read(new Reader(writer.toBuffer()))
      const response = errorResponse(api, version, request, CODE, 'a message')
      const encoded = new Writer()
      responseCodec(api, version).write(encoded, response as never)
      const codes = codesIn(responseCodec(api, version).read(new Reader(encoded.toBuffer())))
      if (WITHOUT_CODE.has(`${api.name} ${version}`)) continue
      assert.ok(codes.includes(CODE), `${api.name} ${version}: ${codes}`)
    }
  })
}

test('a Fetch of version 13 and later has the code at the top alone, an earlier one at every partition', () => {
  const fetch = APIS.find(({ key }) => key === 1) as unknown as Api
  const request = { topics: [{ topic: 't', topicId: ZERO_UUID, partitions: [{ partition: 3 }] }] }
  assert.deepEqual(errorResponse(fetch, 13, request, 5, null), { errorCode: 5, responses: [] })
  const older = errorResponse(fetch, 6, request, 5, null) as { responses: { partitions: { errorCode: number }[] }[] }
  assert.equal(older.responses[0]!.partitions[0]!.errorCode, 5)
})
