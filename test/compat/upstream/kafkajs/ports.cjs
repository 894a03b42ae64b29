// The tests of kafkajs look for brokers on fixed ports of localhost: connections to the plain ones go to the brokers under
// test, one for each; with one broker, all go to that. Jest loads this before each file of tests; the module that it
// changes is the same for all of them.
// biome-ignore lint/style/useNodejsImportProtocol: the Jest of kafkajs knows modules of Node.js by their short names.
const net = require('net')

const ports = (process.env.COMPAT_BOOTSTRAP ?? '').split(',').map(address => Number(address.split(':').at(-1)))
const plainPorts = [9092, 9095, 9098]

if (net.connect.leadsToBroker !== true) {
  const connect = net.connect
  net.connect = (options, ...rest) => {
    const index = plainPorts.indexOf(options?.port)
    return connect(index < 0 ? options : { ...options, port: ports[index] ?? ports[0] }, ...rest)
  }
  net.connect.leadsToBroker = true
}
