'use strict'

const assert = require('node:assert/strict')
const { Region, regionOf } = require('../lib/region')
const { test } = require('./helpers')

test('a region\'s chunk has its length also for code that is optimized', () => {
  const lengthOf = (chunk) => chunk.length
  const byteLengthOf = (chunk) => chunk.byteLength
  for (let i = 0; i < 300_000; i++) {
    const chunk = new Region(null).asChunk(3000)
    lengthOf('text')
    lengthOf(Buffer.from('ab'))
    byteLengthOf(Buffer.from('ab'))
    if (lengthOf(chunk) !== 3000 || byteLengthOf(chunk) !== 3000) assert.fail(`after ${i} chunks`)
  }
})

test('nothing else is taken for one', () => {
  const region = new Region(null)
  const chunk = region.asChunk(1)
  assert.equal(regionOf(chunk), region)
  assert.ok(Buffer.isBuffer(chunk) && chunk instanceof Uint8Array)
  assert.equal(chunk[0], undefined, 'there are no bytes in it')
  for (const other of ['text', Buffer.alloc(1), new Uint8Array(1)]) {
    assert.equal(regionOf(other), undefined)
  }
})
