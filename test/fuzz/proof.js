'use strict'

// What the fuzzers have in common: their options, their time, and the line that they end with.

/** `--minutes N`, `--seed N`, `--quick`; without `--seed`, one that is new each time. */
function optionsOf ({ minutes, quickMinutes }, usage) {
  const args = process.argv.slice(2)
  const number = (name, otherwise) => {
    const at = args.indexOf(`--${name}`)
    if (at === -1) return otherwise
    const [, value] = args.splice(at, 2)
    return value === undefined || value === '' ? NaN : Number(value)
  }
  const quick = args.includes('--quick')
  const seed = number('seed', null)
  const options = {
    quick,
    replay: seed !== null,
    seed: seed ?? Math.floor(Math.random() * 2 ** 31),
    minutes: number('minutes', quick ? quickMinutes : minutes)
  }
  const rest = args.filter((arg) => arg !== '--quick')
  if (rest.length > 0 || !(options.minutes > 0) || !Number.isSafeInteger(options.seed) || options.seed < 0) {
    console.error(`usage: ${usage} [--quick] [--minutes N] [--seed N]`)
    process.exit(2)
  }
  return options
}

/** The last line, and the exit code. */
function conclude ({ cases = 0, faults = 0, bytes = 0, findings = 0, notes = [] }) {
  process.exitCode = findings === 0 ? 0 : 1
  console.log(`proof: ${JSON.stringify({ cases, faults, bytes, findings, notes })}`)
}

module.exports = { conclude, optionsOf }
