import { createHash } from 'node:crypto'

const minify = { mangle: false, compress: true, codegen: { removeWhitespace: true } }
const external = ['@node-rs/crc32', 'fs-native-extensions', '@bokuweb/zstd-wasm', 'pino-pretty']

/** Makes a script of a chunk: one function in ASCII, with the hash of it in its first line (src/cli/compiled-program.ts). */
const asScript = {
  name: 'as-script',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      const code = `(function(exports,require,module,__filename,__dirname){${chunk.code}\n})`.replace(
        /[\u0080-\uffff]/g,
        character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      chunk.code = `// ${createHash('sha256').update(code).digest('hex').slice(0, 16)}\n${code}`
    }
  },
}

export default [
  // What people start and import: one parse of few bytes, with names and line breaks enough for stack traces.
  {
    input: ['dist/src/main.js', 'dist/src/index.js', 'dist/src/cli/make-code-cache.js'],
    platform: 'node',
    external,
    output: { dir: 'dist/bundle', format: 'esm', chunkFileNames: '[name].js', comments: false, minify },
  },
  // The program once more, in a form that V8 can keep the bytecode of.
  {
    input: { program: 'dist/src/cli/program.js' },
    platform: 'node',
    external,
    plugins: [asScript],
    output: {
      dir: 'dist/bundle',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      codeSplitting: false,
      // Functions that V8 takes from its cache have forgotten how their script imports.
      dynamicImportInCjs: false,
      comments: false,
      minify,
    },
  },
]
