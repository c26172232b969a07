'use strict'

// A control group (cgroups(7)) whose memory is limited: page cache that its processes read in counts, too.

const fs = require('node:fs')
const path = require('node:path')

/** Of version 1, where it is mounted, and of version 2. */
const VERSIONS = [
  { parent: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', hits: (read) => Number(read('memory.failcnt')) },
  {
    parent: '/sys/fs/cgroup',
    limit: 'memory.max',
    hits: (read) => Number(/^max (\d+)$/m.exec(read('memory.events'))[1])
  }
]

class MemoryGroup {
  /** @returns {MemoryGroup | null} null where none can be made */
  static make (bytes) {
    for (const version of VERSIONS) {
      const folder = path.join(version.parent, `sendfile-native-faults-${process.pid}`)
      try {
        fs.mkdirSync(folder)
      } catch {
        continue // nobody may here, or there is none
      }
      const group = new MemoryGroup(folder, version)
      try {
        fs.writeFileSync(path.join(folder, version.limit), String(bytes))
        return group
      } catch {
        group.remove() // it is a group of something else
      }
    }
    return null
  }

  constructor (folder, version) {
    this.folder = folder
    this.version = version
  }

  /** What a process takes from now on counts. */
  take (pid) {
    fs.writeFileSync(path.join(this.folder, 'cgroup.procs'), String(pid))
  }

  /** How often the limit was reached, and memory had to be found. */
  get hits () {
    return this.version.hits((name) => fs.readFileSync(path.join(this.folder, name), 'latin1'))
  }

  /** Once its processes have ended. */
  remove () {
    fs.rmdirSync(this.folder)
  }
}

module.exports = { MemoryGroup }
