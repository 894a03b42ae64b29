import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDouble, inHashOrder, isInt, parseDouble, trimText } from '#src/config/java-text.js'

test('doubles are written as Java writes them', () => {
  const texts = [0.5, 1, 0, -0, 1e-3, 1e-4, 1e7, 9_999_999, 12_345_678.5, Number.MAX_VALUE, Number.NaN, -1.5]
  assert.deepEqual(texts.map(formatDouble), [
    '0.5',
    '1.0',
    '0.0',
    '-0.0',
    '0.001',
    '1.0E-4',
    '1.0E7',
    '9999999.0',
    '1.23456785E7',
    '1.7976931348623157E308',
    'NaN',
    '-1.5',
  ])
})

test('doubles are read as Java reads them', () => {
  assert.deepEqual(['1', '.5', '5.', '1e3', '1.5f', '5d', 'Infinity', '0x10', '1_0', ''].map(parseDouble), [
    1,
    0.5,
    5,
    1000,
    1.5,
    5,
    Number.POSITIVE_INFINITY,
    null,
    null,
    null,
  ])
})

test('hexadecimal doubles need an exponent', () => {
  assert.deepEqual(['0x1p-1', '0X1.8P-2f', '0x.8p0', '-0xAp+1', '0x1', '0x.p1', '0x1p'].map(parseDouble), [
    0.5,
    0.375,
    0.5,
    -20,
    null,
    null,
    null,
  ])
})

test('integers have 32 bits', () => {
  assert.deepEqual(['1', '+1', '-1', '01', '2147483647', '-2147483648'].map(isInt), Array(6).fill(true))
  assert.deepEqual(['', ' 1', '1.0', '2147483648', '-2147483649', '99999999999'].map(isInt), Array(6).fill(false))
})

test('control characters are white space to Java, a no-break space is not', () => {
  assert.equal(trimText('\u0000\t a b\u001f '), 'a b')
  assert.equal(trimText('\u00a0a'), '\u00a0a')
})

test('names of one bucket keep their order', () => {
  // Aa and BB have the same hash.
  assert.deepEqual(inHashOrder(['BB', 'Aa']), ['BB', 'Aa'])
  assert.deepEqual(inHashOrder(['Aa', 'BB']), ['Aa', 'BB'])
})
