import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeEnd } from '../process.js'
import { check, eventually } from '../suite.js'
import { TOPIC, type ToolRoom } from './checks.js'

/** metadata-shell on what a node has stored: its newest snapshot. */
export async function shellChecks(checks: ToolRoom): Promise<void> {
  const shell = async (file: string, ...command: string[]): Promise<string> => {
    const finished = await checks.tools().runAsIs('metadata-shell', ['--snapshot', file, ...command])
    assert.equal(finished.code, 0, `metadata-shell ${command.join(' ')} ${describeEnd(finished)}`)
    return finished.stdout
  }
  for (const { name, data } of checks.room.brokers) {
    await check(checks, `metadata-shell: walks through a snapshot of ${name}`, async () => {
      const directory = join(data, '__cluster_metadata-0')
      const snapshots = readdirSync(directory).filter(file => file.endsWith('.checkpoint') && !/^0+-/.test(file))
      const file = join(directory, snapshots.sort().at(-1) ?? 'none')
      const paths = ['cluster/brokers/1', 'cluster/controllers/3', `topics/byName/${TOPIC}/5`, 'configs/TOPIC']
      // On a busy machine the shell runs its command before it has loaded the file.
      await eventually(async () => {
        const found = await shell(file, 'find', '/image')
        for (const path of paths) assert.match(found, new RegExp(`^/image/${path}`, 'm'))
      })
      await eventually(async () => {
        assert.match(await shell(file, 'cat', `/image/topics/byName/${TOPIC}/0`), /replicas/)
      })
      await eventually(async () => {
        assert.match(await shell(file, 'cat', '/image/features/metadataVersion'), /4\.3-IV0/)
      })
    })
  }
}
