import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlterConfigs } from '#protocol/messages/alter-configs.js'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { alterConfigs, splitLegacy } from '#src/handlers/alter-configs.js'
import { forwarded } from '#src/handlers/forwarded.js'
import { incrementalAlterConfigs, splitIncremental } from '#src/handlers/incremental-alter-configs.js'
import { call, TestCluster } from './admin-support.js'

type Change = readonly [type: number, name: string, option: string, value: string]
type Answer = readonly [resourceName: string, errorCode: number, errorMessage: string | null]

interface Asked {
  readonly resources: readonly { readonly resourceType: number; readonly resourceName: string }[]
}

/** Broker 1, whose controller is elsewhere and takes everything. */
function begin() {
  const cluster = new TestCluster()
  const forwardedNames: string[] = []
  const forwarder = {
    deadline: () => 0,
    isLocal: false,
    forward: async (_api: unknown, _context: unknown, request: Asked) => {
      for (const { resourceName } of request.resources) forwardedNames.push(resourceName)
      const responses = request.resources.map(({ resourceType, resourceName }) => ({
        resourceType,
        resourceName,
        errorCode: 0,
        errorMessage: null,
      }))
      return { throttleTimeMs: 0, responses }
    },
  }
  const levels = new Map([['root', 'INFO']])
  const loggers = { levels: () => levels, setLevel: () => {} }
  const { config } = cluster
  // biome-ignore lint/suspicious/noExplicitAny: a forwarder that only forwards
  const services: any = { brokerId: 1, controller: cluster, metadata: cluster, config, loggers, forwarder }
  const resourcesOf = (changes: readonly Change[]) =>
    changes.map(([resourceType, resourceName, name, value]) => ({
      resourceType,
      resourceName,
      configs: [{ name, value, configOperation: 0 }],
    }))
  const shown = ({ responses }: { responses: readonly (object & { resourceName: string; errorCode: number })[] }) =>
    responses.map(one => [one.resourceName, one.errorCode, (one as { errorMessage?: string | null }).errorMessage])
  const asks: Readonly<Record<string, (changes: readonly Change[]) => Promise<unknown>>> = {
    AlterConfigs: async changes => {
      const request = { resources: resourcesOf(changes), validateOnly: false }
      return shown(await call(AlterConfigs, forwarded(alterConfigs, splitLegacy), services, request))
    },
    IncrementalAlterConfigs: async changes => {
      const request = { resources: resourcesOf(changes), validateOnly: false }
      const handler = forwarded(incrementalAlterConfigs, splitIncremental)
      return shown(await call(IncrementalAlterConfigs, handler, services, request))
    },
  }
  return { asks, forwardedNames }
}

const tooManyThreads =
  'Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for ' +
  'num.io.threads=100, value should not be greater than double the current value 8 for configuration Invalid dynamic ' +
  'configuration'

for (const name of ['AlterConfigs', 'IncrementalAlterConfigs']) {
  test(`${name}: what this broker cannot live with does not go to the controller`, async () => {
    const { asks, forwardedNames } = begin()
    const answers = await asks[name]!([
      [2, 't', 'retention.ms', '5'],
      [4, '1', 'num.io.threads', '100'],
      [4, '2', 'num.io.threads', '9'],
      [4, '', 'num.io.threads', '9'],
    ])
    const expected: readonly Answer[] = [
      ['t', 0, null],
      ['1', 42, tooManyThreads],
      ['2', 42, 'Unexpected broker id, expected 1, but received 2'],
      ['', 0, null],
    ]
    assert.deepEqual(answers, expected)
    assert.deepEqual(forwardedNames, ['t', ''])
  })

  test(`${name}: of two entries for one resource neither goes to the controller`, async () => {
    const { asks, forwardedNames } = begin()
    const answers = await asks[name]!([
      [4, '1', 'num.io.threads', '100'],
      [2, 't', 'retention.ms', '5'],
      [4, '1', 'num.io.threads', '9'],
    ])
    const twice = 'Each resource must appear at most once.'
    assert.deepEqual(answers, [
      ['1', 42, twice],
      ['t', 0, null],
      ['1', 42, twice],
    ])
    assert.deepEqual(forwardedNames, ['t'])
  })
}

test('nothing asked is asked of the controller all the same, for it may refuse even that', async () => {
  const { asks, forwardedNames } = begin()
  assert.deepEqual(await asks.AlterConfigs!([]), [])
  assert.deepEqual(forwardedNames, [])
})

test('the answers of a controller to very many resources are put in their places in one pass', async () => {
  const { asks } = begin()
  const changes = Array.from({ length: 150_000 }, (_, i): Change => [2, `t${i}`, 'retention.ms', '1'])
  const answers = (await asks.IncrementalAlterConfigs!(changes)) as Answer[]
  assert.deepEqual([answers.length, answers[149_999]], [150_000, ['t149999', 0, null]])
})
