'use strict'

// What has been proved of this very state of the repository: hours of it are not to be done again after a break.

const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

function git (...args) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 30 }).stdout ?? ''
}

/** The commit, and whether anything was changed since; a copy without its history has none. */
function commitOfRepository () {
  return git('describe', '--always', '--dirty', '--exclude', '*').trim() || 'unknown'
}

/** Of all that git knows of, and what was changed since; but documents change nothing of what was proved. */
function stateOfRepository () {
  const files = git('ls-tree', '-r', 'HEAD').split('\n').filter((line) => !/\t(?:docs\/.*|[^/]*\.md)$/.test(line))
  const changes = git('diff', 'HEAD', '--', '.', ':!docs', ':!*.md')
  return createHash('sha256').update(files.join('\n')).update(changes).digest('hex').slice(0, 16)
}

/** A file for each proof: several of them may run at a time. */
class Progress {
  /** @param {string} mode quick or full */
  constructor (mode, folder = path.join(root, 'target', 'prove')) {
    this.folder = path.join(folder, mode)
    this.state = stateOfRepository()
    this.commit = commitOfRepository()
  }

  /** @returns {object | undefined} what a proof came to last, and of which `commit` */
  of (name) {
    return this.read(name)?.result
  }

  /** Of what the repository is now. */
  hasPassed (name) {
    const { state, result } = this.read(name) ?? {}
    return state === this.state && result.hasPassed
  }

  keep (name, result) {
    fs.mkdirSync(this.folder, { recursive: true })
    const kept = { state: this.state, result: { ...result, commit: this.commit } }
    fs.writeFileSync(this.file(name), JSON.stringify(kept, null, 2))
  }

  read (name) {
    try {
      return JSON.parse(fs.readFileSync(this.file(name), 'utf8'))
    } catch { // none yet, or half of one
      return undefined
    }
  }

  file (name) {
    return path.join(this.folder, `${name}.json`)
  }
}

module.exports = { Progress, root }
