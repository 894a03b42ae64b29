import { api, array, bool, int16, int32, int64, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Describes log directories and what is in them. */
export const DescribeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: '1-5',
  flexible: '2+',
  listeners: ['broker'],
  request: { topics: array(struct({ topic: string, partitions: array(int32) })).nullable() },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.versions('3+'),
    results: array(
      struct({
        errorCode: int16,
        logDir: string,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({ partitionIndex: int32, partitionSize: int64, offsetLag: int64, isFutureKey: bool }),
            ),
          }),
        ),
        totalBytes: int64.versions('4+').default(-1),
        usableBytes: int64.versions('4+').default(-1),
        isCordoned: bool.versions('5+').default(false),
      }),
    ),
  },
})

export interface DescribeLogDirsRequest extends RequestOf<typeof DescribeLogDirs> {}
export interface DescribeLogDirsResponse extends ResponseOf<typeof DescribeLogDirs> {}
