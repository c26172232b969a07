'use strict'

// What has been proved of this very state of the repository: hours of it are not to be done again after a break.

const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

/** Of all that git knows of, and what was changed since; but documents change nothing of what was proved. */
function stateOfRepository () {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 30 }).stdout ?? ''
  const files = git('ls-tree', '-r', 'HEAD').split('\n').filter((line) => !/\t(?:docs\/.*|[^/]*\.md)$/.test(line))
  const changes = git('diff', 'HEAD', '--', '.', ':!docs', ':!*.md')
  return createHash('sha256').update(files.join('\n')).update(changes).digest('hex').slice(0, 16)
}

class Progress {
  /** @param {string} mode quick or full */
  constructor (mode) {
    this.file = path.join(root, 'target', 'prove', `${mode}.json`)
    this.state = stateOfRepository()
    this.results = this.read()
  }

  read () {
    try {
      const { state, results } = JSON.parse(fs.readFileSync(this.file, 'utf8'))
      return state === this.state ? results : {}
    } catch { // none yet, or half of one
      return {}
    }
  }

  /** @returns {object | undefined} the result of a stage, if it was without a finding */
  of (name) {
    const result = this.results[name]
    return result?.hasPassed ? result : undefined
  }

  keep (name, result) {
    this.results[name] = result
    fs.mkdirSync(path.dirname(this.file), { recursive: true })
    fs.writeFileSync(this.file, JSON.stringify({ state: this.state, results: this.results }, null, 2))
  }
}

module.exports = { Progress, root }
