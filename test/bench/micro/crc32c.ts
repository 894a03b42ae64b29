/**
 * node dist/test/bench/micro/crc32c.js
 * What the checksum of a batch costs by each implementation that works here, in nanoseconds, best of several rounds.
 */
import { crc32cImplementations } from '#protocol/records/crc32c.js'
import { measure } from './measure.js'

for (const bytes of [256, 1024, 2048, 4096, 8192, 16_384, 65_536, 1_048_576]) {
  const buffer = Buffer.alloc(bytes, 'a batch')
  for (const { name, crc32c } of crc32cImplementations()) {
    measure(`${bytes} bytes: ${name}`, () => void crc32c(buffer, 0, bytes))
  }
}
