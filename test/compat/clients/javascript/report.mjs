// What the client programs in JavaScript share: one JSON line on standard output for each check.

export const bootstrap = process.env.COMPAT_BOOTSTRAP ?? 'localhost:9092'
const prefix = process.env.COMPAT_PREFIX ?? 'compat-'
const match = process.env.COMPAT_MATCH ?? ''
const checkTimeoutMs = 60_000

/** A name of a topic or group that nobody else uses. */
export function unique(name) {
  return prefix + name
}

/** Runs one check and reports it. The body may throw; it gets a function that takes what is to be closed afterwards. */
export async function check(name, body) {
  if (!name.includes(match)) return
  const startedAt = Date.now()
  const closers = []
  const took = () => Date.now() - startedAt
  try {
    await within(
      checkTimeoutMs,
      `${name} within ${checkTimeoutMs} ms`,
      body(closer => closers.push(closer)),
    )
    write({ check: name, tookMs: took() })
  } catch (error) {
    write({ check: name, tookMs: took(), error: describe(error) })
  }
  for (const closer of closers.reverse()) {
    await within(15_000, 'close', closer()).catch(error => console.error(`${name}: closing: ${describe(error)}`))
  }
}

/** Asks the runner to look whether the first batch of the partition is stored with this codec. */
export function expectCodec(topic, partition, codec) {
  write({ codec, topic, partition })
}

/** The last line: says that every check has been run. What a client leaves open must not keep the program alive. */
export function done() {
  process.stdout.write(`${JSON.stringify({ done: true })}\n`, () => process.exit())
}

/** Calls the body until it returns something other than undefined or false. */
export async function until(what, body, timeoutMs = 30_000) {
  const deadline = Date.now() + timeoutMs
  while (true) {
    const found = await body()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what()}`)
    await pause(50)
  }
}

export function pause(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}

function within(ms, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done: ${what}`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function describe(error) {
  const lines = []
  for (let at = error; at; at = at.cause) lines.push(at.stack ?? String(at))
  if (Array.isArray(error?.errors)) for (const inner of error.errors) lines.push(describe(inner))
  return lines.join('\n')
}

function write(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
