'use strict'

// A disk of its own, that can be made as slow as a standstill: a file system in a loop device, whose reads by this
// process the kernel throttles. The bytes of a file can be dropped from memory.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { MIB, test } = require('.')

const CGROUPS = '/sys/fs/cgroup'

let groups = 0

function run (command, ...args) {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`)
}

/** Mounts an empty file system: `{ folder, device, remove }`, the device as the kernel numbers it. */
function mount (mebibytes) {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), `sendfile-native-disk-${process.pid}-`))
  const [image, folder] = ['image', 'mount'].map((name) => path.join(parent, name))
  let isMounted = false
  const remove = () => {
    if (isMounted) run('umount', '-l', folder) // now, or with the last file that is open
    fs.rmSync(parent, { recursive: true, force: true })
  }
  try {
    fs.mkdirSync(folder)
    fs.writeFileSync(image, '')
    fs.truncateSync(image, mebibytes * MIB)
    run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', image)
    run('mount', '-o', 'loop,noatime', image, folder) // the device goes with the mount
    isMounted = true
    const { dev } = fs.statSync(folder)
    return { folder, device: `${dev >> 8}:${dev & 255}`, remove }
  } catch (err) {
    remove()
    throw err
  }
}

/** Where this process is in the hierarchy of control groups that throttles disks: its mount and its path. */
function controlGroup () {
  const lines = fs.readFileSync('/proc/self/cgroup', 'latin1').trim().split('\n').map((line) => line.split(':'))
  const legacy = lines.find(([, controllers]) => controllers.split(',').includes('blkio'))
  if (legacy) return { isLegacy: true, mount: path.join(CGROUPS, 'blkio'), home: legacy[2] }
  return { isLegacy: false, mount: CGROUPS, home: lines.find(([, controllers]) => controllers === '')[2] }
}

/** Puts this process into a control group of its own: `{ limit, remove }` for what it reads of the device. */
function throttle (device) {
  const { isLegacy, mount, home } = controlGroup()
  const group = path.join(mount, `sendfile-native-${process.pid}-${groups++}`)
  const join = (folder) => fs.writeFileSync(path.join(folder, 'cgroup.procs'), String(process.pid))
  const remove = () => {
    join(path.join(mount, home))
    fs.rmdirSync(group)
  }
  if (!isLegacy) fs.writeFileSync(path.join(mount, 'cgroup.subtree_control'), '+io')
  fs.mkdirSync(group)
  const limit = (rate) => {
    if (isLegacy) fs.writeFileSync(path.join(group, 'blkio.throttle.read_bps_device'), `${device} ${rate ?? 0}`)
    else fs.writeFileSync(path.join(group, 'io.max'), `${device} rbps=${rate ?? 'max'}`)
  }
  try {
    limit(null)
    join(group)
  } catch (err) {
    remove()
    throw err
  }
  return { limit, remove }
}

/**
 * A disk, until the test ends. `add(name, bytes)` makes a file of which nothing is in memory, and `forget(path)` makes
 * it so again. `limit(rate)`: in bytes a second; `release()` ends that.
 */
function coldDisk (t) {
  const disk = mount(96)
  let throttled
  try {
    throttled = throttle(disk.device)
  } catch (err) {
    disk.remove()
    throw err
  }
  t.after(() => {
    throttled.limit(null) // whoever waits goes on
    throttled.remove()
    disk.remove()
  })
  const forget = (file) => run('dd', `if=${file}`, 'iflag=nocache', 'count=0', 'status=none') // posix_fadvise(2)
  const add = (name, bytes) => {
    const file = path.join(disk.folder, name)
    fs.writeFileSync(file, bytes)
    run('sync', file) // what is not on the disk cannot be dropped
    forget(file)
    return { path: file, bytes }
  }
  return { add, forget, limit: throttled.limit, release: () => throttled.limit(null) }
}

let reason

/** Why there can be no such disk here; '' when there can. */
function unavailable () {
  if (reason !== undefined) return reason
  if (process.geteuid() !== 0) return (reason = 'mounting a disk needs root')
  if (!fs.existsSync('/dev/loop-control')) return (reason = '/dev/loop-control is missing')
  const cleanups = []
  try {
    const disk = coldDisk({ after: (cleanup) => cleanups.push(cleanup) })
    disk.limit(MIB)
    reason = ''
  } catch (err) {
    reason = `refused: ${err.message}`
  }
  for (const cleanup of cleanups) cleanup()
  return reason
}

/** A test with a disk: skipped where there can be none. */
function diskTest (name, run) {
  test(name, (t) => unavailable() === '' ? run(t, coldDisk(t)) : t.skip(unavailable()))
}

module.exports = { diskTest }
