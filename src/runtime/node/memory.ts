import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

const MIB = 1048576
/** Shares of what the process may use: requests and answers in flight live outside the heap, groups inside it. */
const FLIGHT_SHARE = 1 / 4
const FLIGHT_BYTES_MIN = 128 * MIB
const FLIGHT_BYTES_MAX = 1024 * MIB
const GROUP_SHARE = 1 / 4

/** How much memory of this machine, or of this container, the parts of a broker may take, in bytes. */
export function memoryShares(): { readonly flightBytesMax: number; readonly groupBytesMax: number } {
  // The limit of a container; 0 or nothing where there is none.
  const limit = process.constrainedMemory?.() ?? 0
  const flight = (limit > 0 ? Math.min(limit, totalmem()) : totalmem()) * FLIGHT_SHARE
  return {
    flightBytesMax: Math.round(Math.min(Math.max(flight, FLIGHT_BYTES_MIN), FLIGHT_BYTES_MAX)),
    groupBytesMax: Math.round(getHeapStatistics().heap_size_limit * GROUP_SHARE),
  }
}
