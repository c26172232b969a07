'use strict'

const assert = require('node:assert/strict')
const { temporaryFolder, test } = require('./helpers')
const { proofIn } = require('./helpers/proof')
const { Progress } = require('./prove/progress')
const { insert, report } = require('./prove/report')
const { runStage } = require('./prove/run-stage')
const stages = require('./prove/stages')

const HELPER = JSON.stringify(require.resolve('./helpers/proof'))

/** A proof that tells this, and ends like that. */
const telling = (outcome, code = 0) =>
  ['-e', `require(${HELPER}).tellProof(${JSON.stringify(outcome)}); process.exitCode = ${code}`]

test('a proof passes that tried something, found nothing and ended well', async () => {
  const result = await runStage(telling({ cases: 7, faults: 3, bytes: 2048, findings: 0, notes: ['no valgrind'] }))
  assert.deepEqual({ ...result, seconds: 0 }, {
    cases: 7, faults: 3, bytes: 2048, findings: 0, notes: ['no valgrind'], complaint: null, hasPassed: true, seconds: 0
  })
})

test('whatever else a proof does is a finding', async () => {
  const failed = {
    'it found something': telling({ cases: 7, findings: 2 }, 1),
    'it found something, and ended as if not': telling({ cases: 7, findings: 2 }),
    'it found nothing, but failed': telling({ cases: 7, findings: 0 }, 1),
    'it tried nothing': telling({ cases: 0, findings: 0 }),
    'it told nothing': ['-e', 'console.log("fine")'],
    'it was killed': ['-e', 'process.kill(process.pid, "SIGKILL")']
  }
  for (const [name, args] of Object.entries(failed)) {
    const { hasPassed, findings } = await runStage(args)
    assert.equal(hasPassed, false, name)
    assert.ok(findings > 0, name)
  }
})

test('what has passed is known to other runs, whatever runs beside it', (t) => {
  const folder = temporaryFolder(t)
  const [one, other] = [new Progress('full', folder), new Progress('full', folder)]
  one.keep('soak', { hasPassed: true, cases: 1 })
  other.keep('load', { hasPassed: false, cases: 2 })
  assert.deepEqual(['soak', 'load', 'races'].map((name) => one.hasPassed(name)), [true, false, false])
  assert.equal(one.of('load').cases, 2)
  assert.equal(new Progress('quick', folder).of('soak'), undefined)
  one.state = 'another'
  assert.equal(one.hasPassed('soak'), false, 'of something else')
  assert.match(one.of('soak').commit, /^[0-9a-f]{7,}|^unknown$/)
})

test('what a proof tells is its last such line', () => {
  assert.equal(proofIn('proof: {"cases":1}\nmore\nproof: {"cases":2}\n').cases, 2)
  assert.equal(proofIn('no proof\n'), null)
})

test('the table has each proof, what it left out, and a place between two comments', () => {
  const result = { cases: 1_000_000, faults: 0, bytes: 3 * 2 ** 30, findings: 0, notes: ['no musl'], complaint: null, seconds: 300, commit: 'abc1234' }
  const [first, second] = stages
  const text = report([{ ...first, result }, second], 'quick')
  assert.match(text, /^`npm run prove -- --quick` on Node v/)
  assert.ok(text.includes(`| ${first.title} | \`${first.name}\` | 1,000,000 |  | 3.0 GiB | 0 | 5 min | abc1234 |`), text)
  assert.ok(text.includes(`| ${second.title} | \`${second.name}\` | not run |`), text)
  assert.ok(text.includes(`- \`${first.name}\`: no musl`), text)
  assert.equal(insert('a <!-- proofs -->old<!-- /proofs --> b', 'new'), 'a <!-- proofs -->\n\nnew\n\n<!-- /proofs --> b')
  assert.throws(() => insert('nothing', 'new'))
})
