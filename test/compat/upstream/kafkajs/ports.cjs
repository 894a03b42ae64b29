// The tests of kafkajs look for brokers on fixed ports of localhost: connections to the plain ones go to the broker
// under test. Jest loads this before each file of tests; the module that it changes is the same for all of them.
// biome-ignore lint/style/useNodejsImportProtocol: the Jest of kafkajs knows modules of Node.js by their short names.
const net = require('net')

const bootstrap = process.env.COMPAT_BOOTSTRAP ?? ''
const port = Number(bootstrap.slice(bootstrap.lastIndexOf(':') + 1))
const plainPorts = [9092, 9095, 9098]

if (net.connect.leadsToBroker !== true) {
  const connect = net.connect
  net.connect = (options, ...rest) =>
    connect(plainPorts.includes(options?.port) ? { ...options, port } : options, ...rest)
  net.connect.leadsToBroker = true
}
