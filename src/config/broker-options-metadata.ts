import { atLeast, int, long, string } from './option.js'

/** Broker options of the metadata log. */
export const metadataOptions = {
  'metadata.log.max.record.bytes.between.snapshots': long(
    20_971_520,
    'Bytes of metadata records after which a new snapshot is written.',
    { rule: atLeast(1), importance: 'HIGH', acts: true },
  ),
  'metadata.log.max.snapshot.interval.ms': long(
    3_600_000,
    'Age of the latest snapshot after which a new one is written; 0 means never by age.',
    { rule: atLeast(0), importance: 'HIGH', acts: true },
  ),
  'metadata.log.dir': string(null, 'Where the metadata log lies; by default in the first of log.dirs.', {
    importance: 'HIGH',
    acts: true,
  }),
  'metadata.log.segment.bytes': int(1_073_741_824, 'Size of one segment of the metadata log.', {
    rule: atLeast(8_388_608),
    importance: 'HIGH',
    acts: true,
  }),
  'metadata.log.segment.ms': long(604_800_000, 'Age at which a segment of the metadata log is closed.', {
    importance: 'HIGH',
    acts: true,
  }),
  'metadata.max.retention.bytes': long(
    104_857_600,
    'Size of metadata log and snapshots above which old ones are deleted.',
    { importance: 'HIGH', acts: true },
  ),
  'metadata.max.retention.ms': long(
    604_800_000,
    'Age above which old segments and snapshots of the metadata log are deleted.',
    { importance: 'HIGH', acts: true },
  ),
  'metadata.max.idle.interval.ms': int(500, 'Pause after which the controller writes a no-op record; 0 writes none.', {
    rule: atLeast(0),
    importance: 'LOW',
    acts: true,
  }),
  'internal.metadata.log.segment.bytes': int(
    null,
    'Size of one segment of the metadata log, without the lower bound; for tests.',
    { importance: 'LOW', internal: true, acts: true },
  ),
  'internal.metadata.max.batch.size.in.bytes': int(8_388_608, 'Largest batch of the metadata log.', {
    importance: 'LOW',
    internal: true,
    acts: false,
  }),
  'internal.metadata.delete.delay.millis': long(60_000, 'Wait before deleted files of the metadata log vanish.', {
    importance: 'LOW',
    internal: true,
    acts: false,
  }),
}
