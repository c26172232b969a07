'use strict'

// How a long proof tells what it did, by its last line and its exit code: test/prove reads them.

const MARK = 'proof: '

/**
 * @param {object} outcome
 * @param {number} outcome.cases that were tried
 * @param {number} [outcome.faults] that were injected, and survived
 * @param {number} [outcome.bytes] that were compared with what they should be
 * @param {number} outcome.findings whatever was not as it should be
 * @param {string[]} [outcome.notes] what was left out, and why
 */
function tellProof ({ cases, faults = 0, bytes = 0, findings, notes = [] }) {
  process.exitCode = findings === 0 ? 0 : 1
  console.log(MARK + JSON.stringify({ cases, faults, bytes, findings, notes }))
}

/** @returns {object | null} what the last such line of an output says */
function proofIn (output) {
  const line = output.split('\n').reverse().find((line) => line.startsWith(MARK))
  return line === undefined ? null : JSON.parse(line.slice(MARK.length))
}

module.exports = { proofIn, tellProof }
