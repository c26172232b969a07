'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { proofIn } = require('../helpers/proof')
const { root } = require('./progress')

/** So much of an output is kept: its end has what it tells. */
const KEPT = 1024 * 1024

/**
 * Runs a proof, and shows what it prints.
 * @param {string[]} args of node
 * @returns {Promise<{ ended: string | null, told: object | null }>} how, if it was not with 0, and what it told
 */
async function runProof (args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text)
    output = (output + text).slice(-KEPT)
  })
  const [code, signal] = await once(child, 'close')
  return { ended: code === 0 ? null : `ended with ${signal ?? code}`, told: proofIn(output) }
}

/** The same, and what is to be thought of it. */
async function runStage (args) {
  const began = Date.now()
  const { ended, told } = await runProof(args)
  const outcome = told ?? { cases: 0, faults: 0, bytes: 0, findings: 0, notes: [] }
  // One that says nothing proved nothing.
  const complaint = ended ?? (told === null ? 'told nothing' : told.cases === 0 ? 'tried nothing' : null)
  const hasPassed = complaint === null && outcome.findings === 0
  if (complaint !== null && outcome.findings === 0) outcome.findings = 1
  return { ...outcome, complaint, hasPassed, seconds: Math.round((Date.now() - began) / 1000) }
}

module.exports = { runProof, runStage }
