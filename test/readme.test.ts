/** What the README says of the code is computed from the code. `UPDATE=1 npm test` writes it anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { APIS } from '#protocol/messages/index.js'
import type { NodeServices } from '#src/broker/serving.js'
import { brokerHandlers } from '#src/handlers/broker.js'
import { controllerHandlers } from '#src/handlers/controller.js'
import { supportedFeatures } from '#src/metadata/supported-features.js'
import { advertisedApis, servedApis } from '#src/server/api-table.js'

const FILE = 'README.md'
const tables = { broker: brokerHandlers, controller: controllerHandlers }
const kinds = ['broker', 'controller'] as const

const advertised = (kind: (typeof kinds)[number]) =>
  advertisedApis<NodeServices>(tables[kind], { unstableVersions: false })

function apiTable(): string {
  const rows = APIS.flatMap(api => {
    const on = kinds.filter(kind => advertised(kind).some(({ apiKey }) => apiKey === api.key))
    if (on.length === 0) return []
    const { minVersion, maxVersion } = advertised(on[0]!).find(({ apiKey }) => apiKey === api.key)!
    const note = minVersion < api.versions.from ? ` (served from ${api.versions.from}, as in Kafka)` : ''
    return [`| ${api.key} | ${api.name} | ${minVersion}-${maxVersion}${note} | ${on.join(', ')} |`]
  })
  return ['| key | API | versions | listeners |', '|---|---|---|---|', ...rows].join('\n')
}

function featureTable(): string {
  const rows = supportedFeatures.map(({ name, min, max, reason }) => `| ${name} | ${min}-${max} | ${reason} |`)
  return ['| feature | levels | why |', '|---|---|---|', ...rows].join('\n')
}

/** Compares what stands between two markers with what should; writes it if UPDATE=1 asks for that. */
function expectBetween(marker: string, expected: string): void {
  const text = readFileSync(FILE, 'utf8')
  const pattern = new RegExp(`(<!-- ${marker} -->\n)[\\s\\S]*?(<!-- /${marker} -->)`)
  assert.match(text, pattern)
  const updated = text.replace(pattern, `$1${expected}\n$2`)
  if (process.env.UPDATE === '1') writeFileSync(FILE, updated)
  else assert.equal(text, updated, 'the README is out of date: UPDATE=1 npm test')
}

test('the table of supported APIs is that of the handlers', () => expectBetween('apis', apiTable()))

test('the table of features is that of the code', () => expectBetween('features', featureTable()))

test('every API and version that is advertised has a handler and stands in the README', () => {
  const readme = readFileSync(FILE, 'utf8')
  for (const kind of kinds) {
    const served = servedApis<NodeServices>(tables[kind], kind, false)
    for (const { apiKey, minVersion, maxVersion } of advertised(kind)) {
      const entry = served[apiKey]
      assert.ok(entry !== undefined, `API ${apiKey} is advertised on ${kind} listeners and not served`)
      for (let version = Math.max(minVersion, entry.api.versions.from); version <= maxVersion; version++) {
        assert.ok(version >= entry.versionMin && version <= entry.versionMax, `${entry.api.name} ${version}`)
      }
      const row = new RegExp(`^\\| ${apiKey} \\| ${entry.api.name} \\| ${minVersion}-${maxVersion}[ (|]`, 'm')
      assert.match(readme, row)
    }
  }
})
