// The bundle is what people start: one parse of few bytes, with names and line breaks enough for stack traces.
export default {
  input: ['dist/src/main.js', 'dist/src/index.js'],
  platform: 'node',
  external: ['@node-rs/crc32', 'fs-native-extensions', '@bokuweb/zstd-wasm', 'pino-pretty'],
  output: {
    dir: 'dist/bundle',
    format: 'esm',
    chunkFileNames: '[name].js',
    comments: false,
    minify: { mangle: false, compress: true, codegen: { removeWhitespace: true } },
  },
}
