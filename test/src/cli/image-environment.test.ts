import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLUSTER_ID_DEFAULT, type Environment, type ImageFiles, readImageOptions } from '#src/cli/image-environment.js'
import { mergeSources } from '#src/config/sources.js'

const noFiles: ImageFiles = { read: () => null }
const filesOf = (files: Readonly<Record<string, string>>): ImageFiles => ({
  read: (path: string) => files[path] ?? null,
})

/** The options that come of an environment, which must be in order. */
function read(environment: Environment, assignments: readonly string[] = [], files = noFiles) {
  const options = readImageOptions(environment, assignments, files)
  assert.ok(options.ok, options.ok ? '' : options.lines.join('\n'))
  const { properties, origins } = mergeSources(options.sources)
  return { ...options, properties: Object.fromEntries(properties), origins: Object.fromEntries(origins) }
}

function refused(environment: Environment, assignments: readonly string[] = [], files = noFiles): readonly string[] {
  const options = readImageOptions(environment, assignments, files)
  assert.ok(!options.ok)
  return options.lines
}

test('a variable becomes the option whose dots, underscores and dashes are one, two and three underscores', () => {
  const { properties, origins } = read({
    KAFKA_NODE_ID: '7',
    KAFKA_LISTENER_NAME_IN__SIDE_MAX_CONNECTIONS: '5',
    KAFKA_SOME___OPTION: 'x',
    KAFKA_: 'nothing',
    PATH: '/bin',
  })
  assert.deepEqual(properties, { 'node.id': '7', 'listener.name.in_side.max.connections': '5', 'some-option': 'x' })
  assert.equal(origins['node.id'], 'environment variable KAFKA_NODE_ID')
})

test('variables for Java and its logging are no options; those that were set in vain are named', () => {
  const { properties, warnings } = read({
    KAFKA_VERSION: '4.3.1',
    KAFKA_HEAP_OPTS: '-Xmx1G',
    KAFKA_OPTS: '',
    KAFKA_JMX_OPTS: '-D',
    KAFKA_JMX_PORT: '9999',
    KAFKA_TOOLS_LOG4J_LOGLEVEL: 'WARN',
  })
  assert.deepEqual(properties, { 'jmx.port': '9999' }, 'the port alone is an option that nobody knows, as in Kafka')
  assert.deepEqual(warnings, [
    'KAFKA_HEAP_OPTS is for a Java virtual machine and is ignored',
    'KAFKA_JMX_OPTS is for a Java virtual machine and is ignored',
  ])
})

test('a value counts as it would in a line of a properties file', () => {
  const { properties } = read({
    KAFKA_A: '  blanks in front do not count ',
    KAFKA_B: 'C:\\\\data\\tx',
    KAFKA_C: 'x=y:z',
    KAFKA_D: '',
  })
  assert.deepEqual(properties, { a: 'blanks in front do not count ', b: 'C:\\data\tx', c: 'x=y:z', d: '' })
  assert.deepEqual(refused({ KAFKA_E: '\\uzzzz' }), [
    'environment variable KAFKA_E:1: e=\\uzzzz: four hexadecimal digits must follow \\u',
  ])
})

test('arguments stand over the environment', () => {
  const { properties, origins, clusterId } = read({ KAFKA_NUM_PARTITIONS: '1', CLUSTER_ID: 'a' }, [
    'KAFKA_NUM_PARTITIONS=3',
    'CLUSTER_ID=b=c',
  ])
  assert.deepEqual(properties, { 'num.partitions': '3' })
  assert.equal(origins['num.partitions'], 'argument KAFKA_NUM_PARTITIONS')
  assert.equal(clusterId, 'b=c')
  assert.match(refused({}, ['num.partitions'])[0]!, /allowed is VARIABLE=value/)
})

test('without a word there are no options, and the cluster has the id of the apache/kafka image', () => {
  const { sources, clusterId, logLevel, warnings } = read({ HOME: '/', CLUSTER_ID: '' })
  assert.deepEqual(sources, [])
  assert.equal(clusterId, CLUSTER_ID_DEFAULT)
  assert.equal(logLevel, 'info')
  assert.deepEqual(warnings, [])
})

test('a mounted server.properties lies under the variables', () => {
  const files = filesOf({ '/mnt/shared/config/server.properties': '# mine\nnode.id=4\nnum.partitions=8\n' })
  const { properties, origins } = read({ KAFKA_NODE_ID: '5' }, [], files)
  assert.deepEqual(properties, { 'node.id': '5', 'num.partitions': '8' })
  assert.equal(origins['num.partitions'], '/mnt/shared/config/server.properties:3')
  assert.equal(origins['node.id'], 'environment variable KAFKA_NODE_ID')
  assert.equal(read({}, [], files).sources.length, 1, 'it is enough by itself')
  const broken = filesOf({ '/mnt/shared/config/server.properties': '=4\n' })
  assert.match(refused({}, [], broken)[0]!, /^\/mnt\/shared\/config\/server\.properties:1: =4: a name must stand/)
})

test('where nobody says where to listen, it is every interface at the advertised ports', () => {
  const listeners = (advertised: string, more: Environment = {}) =>
    read({ KAFKA_ADVERTISED_LISTENERS: advertised, ...more }).properties.listeners
  assert.equal(
    listeners('INSIDE://node-1:9092,OUTSIDE://[2001:db8::1]:9192'),
    'INSIDE://0.0.0.0:9092,OUTSIDE://0.0.0.0:9192',
  )
  assert.equal(listeners('A://:9092', { KAFKA_LISTENERS: '' }), 'A://0.0.0.0:9092')
  assert.equal(listeners('A://a:9092', { KAFKA_LISTENERS: 'A://b:1' }), 'A://b:1')
  assert.equal(listeners('', { KAFKA_PROCESS_ROLES: 'broker' }), undefined)
})

test('a controller by itself advertises nothing to clients', () => {
  const controller = { KAFKA_PROCESS_ROLES: 'controller' }
  assert.deepEqual(read({ ...controller, KAFKA_ADVERTISED_LISTENERS: '' }).properties, {
    'process.roles': 'controller',
  })
  assert.match(
    refused({ ...controller, KAFKA_ADVERTISED_LISTENERS: 'A://a:1' })[0]!,
    /^KAFKA_ADVERTISED_LISTENERS is not supported on a KRaft controller/,
  )
})

test('keystores and their passwords come from the files that variables name', () => {
  const files = filesOf({
    '/etc/kafka/secrets/store.p12': '...',
    '/etc/kafka/secrets/key': 'key password\n',
    '/etc/kafka/secrets/store': 'store password',
    '/etc/kafka/secrets/trust.p12': '...',
    '/etc/kafka/secrets/trust': 'trust password\r\n',
  })
  const server = {
    KAFKA_LISTENERS: 'SSL://:9092',
    KAFKA_ADVERTISED_LISTENERS: 'SSL://a:9092',
    KAFKA_SSL_KEYSTORE_FILENAME: 'store.p12',
    KAFKA_SSL_KEY_CREDENTIALS: 'key',
    KAFKA_SSL_KEYSTORE_CREDENTIALS: 'store',
  }
  const expected = {
    listeners: 'SSL://:9092',
    'advertised.listeners': 'SSL://a:9092',
    'ssl.keystore.location': '/etc/kafka/secrets/store.p12',
    'ssl.key.password': 'key password',
    'ssl.keystore.password': 'store password',
  }
  assert.deepEqual(read(server, [], files).properties, expected)
  const mutual = {
    ...server,
    KAFKA_SSL_CLIENT_AUTH: 'required',
    KAFKA_SSL_TRUSTSTORE_FILENAME: 'trust.p12',
    KAFKA_SSL_TRUSTSTORE_CREDENTIALS: 'trust',
  }
  assert.deepEqual(read(mutual, [], files).properties, {
    ...expected,
    'ssl.client.auth': 'required',
    'ssl.truststore.location': '/etc/kafka/secrets/trust.p12',
    'ssl.truststore.password': 'trust password',
  })
})

test('a secret that is not named or not there is said', () => {
  const server = { KAFKA_ADVERTISED_LISTENERS: 'SASL_SSL://a:9092' }
  assert.match(refused(server)[0]!, /^KAFKA_SSL_KEYSTORE_FILENAME is not set/)
  assert.equal(
    refused({ ...server, KAFKA_SSL_KEYSTORE_FILENAME: 'store' })[0],
    'KAFKA_SSL_KEYSTORE_FILENAME=store: there is no file /etc/kafka/secrets/store that can be read',
  )
})

test('the level of the log is that of log4j, by our names', () => {
  const levelOf = (level: string) => read({ KAFKA_LOG4J_ROOT_LOGLEVEL: level })
  assert.equal(levelOf('WARN').logLevel, 'warn')
  assert.equal(levelOf('off').logLevel, 'silent')
  assert.equal(levelOf('loud').logLevel, 'info')
  assert.match(levelOf('loud').warnings[0]!, /KAFKA_LOG4J_ROOT_LOGLEVEL=loud is ignored: allowed is one of ALL, TRACE/)
  const files = filesOf({ '/mnt/shared/config/log4j2.yaml': '' })
  assert.match(read({}, [], files).warnings[0]!, /log4j2\.yaml is ignored/)
})
