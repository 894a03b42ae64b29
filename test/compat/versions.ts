/** What is installed, and in which version. Clients are the newest releases; raise them here. */
export const versions = {
  kafkajs: '2.2.4',
  kafkajsSnappy: '1.1.0',
  lz4Napi: '2.10.0',
  zstdWasm: '0.0.27',
  platformatic: '2.12.1',
  /** For clients that want a newer Node.js than the one that runs this. */
  node: '24.21.0',
  confluentKafka: '2.16.1',
  /** franz-go's own versions stand in clients/franz-go/go.mod. */
  goAtLeast: '1.26',
  goBin: '1.27.3',
} as const
