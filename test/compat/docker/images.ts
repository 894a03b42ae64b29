import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { projectDirectory } from '../broker.js'
import { succeeds, systemPackages } from '../cache.js'
import { runOrThrow } from '../process.js'
import type { Docker } from './daemon.js'

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
const PULL_TIMEOUT_MS = 300_000

/** What the Dockerfile begins with where nobody says anything. */
function nodeImage(): string {
  const text = readFileSync(join(projectDirectory, 'Dockerfile'), 'utf8')
  const image = /^ARG NODE_IMAGE=(\S+)$/m.exec(text)?.[1]
  if (image === undefined) throw new Error('the Dockerfile has no ARG NODE_IMAGE=...')
  return image
}

/** The image that ours is built from: the one of the Dockerfile, or where none can be pulled one that is made here. */
export async function baseImage(docker: Docker): Promise<string> {
  const wanted = nodeImage()
  if ((await docker.tryDocker(['image', 'inspect', wanted])).code === 0) return wanted
  if ((await docker.tryDocker(['pull', wanted], { timeoutMs: PULL_TIMEOUT_MS })).code === 0) return wanted
  const local = `ottla-local-node:${process.versions.node}`
  if ((await docker.tryDocker(['image', 'inspect', local])).code !== 0) await makeImage(docker, local)
  process.stdout.write(`${wanted} cannot be pulled: ${local}, made here, stands in for it\n`)
  return local
}

/** Debian by debootstrap, with the Node.js and the npm of this machine. */
async function makeImage(docker: Docker, name: string): Promise<void> {
  await systemPackages([{ packages: ['debootstrap'], present: () => succeeds('debootstrap', ['--version']) }])
  const folder = mkdtempSync(join(tmpdir(), 'ottla-base-'))
  try {
    const root = join(folder, 'root')
    process.stdout.write(`make ${name} with debootstrap\n`)
    const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
    await runOrThrow('debootstrap', ['--variant=minbase', release, root], { timeoutMs: 900_000 })
    copyFileSync(process.execPath, join(root, 'usr/local/bin/node'))
    const npm = realpathSync((await runOrThrow('sh', ['-c', 'command -v npm'])).stdout.trim())
    cpSync(dirname(dirname(npm)), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
    const changes: string[] = []
    if (existsSync(CERTIFICATES)) {
      mkdirSync(join(root, dirname(CERTIFICATES)), { recursive: true })
      copyFileSync(CERTIFICATES, join(root, CERTIFICATES))
      changes.push('--change', `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`)
    }
    await runOrThrow('tar', ['-C', root, '-cf', join(folder, 'root.tar'), '.'], { timeoutMs: 300_000 })
    await docker.docker(['import', ...changes, join(folder, 'root.tar'), name])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
