import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DirectoryLoader } from '#src/broker/directory-loader.js'
import type { DynamicConfig } from '#src/broker/dynamic-config.js'
import { openLogDirectory } from '#storage/log-directory.js'
import { configOf, put, rig } from '../../storage/support.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'

test('a log that is emptied because its start lies beyond its end is told aloud', async () => {
  const { directory, disk, log } = rig()
  put(log, ['a', 'b'])
  await directory.close(1, () => 2)
  disk.replaceFile('/data/log-start-offset-checkpoint', Buffer.from('0\n1\nevents 0 99\n'))
  const logger = keepingLogger()
  const config = { ofTopic: () => configOf() } as unknown as DynamicConfig
  const next = openLogDirectory({ disk, path: '/data' })
  await new DirectoryLoader([next], config, new VirtualClock(), logger).onMetadata()
  const [told] = logger.lines.filter(({ level }) => level === 'warn')
  assert.equal(told!.message, 'a log was mended')
  const { topic, notes } = told!.fields as { readonly topic: string; readonly notes: readonly string[] }
  assert.equal(topic, 'events')
  assert.match(notes.join(), /ended below its start offset 99: it is empty now/)
})
