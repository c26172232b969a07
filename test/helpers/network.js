'use strict'

// Two networks, and a link between them that can be slow, lose packets, refuse them, or be taken down.

const { spawn, spawnSync } = require('node:child_process')
const path = require('node:path')
const { root, test } = require('.')

/** Addresses for documentation: nobody else's, wherever the tests run. */
const ADDRESSES = { server: '192.0.2.1', client: '192.0.2.2' }

const LINK = 'link0'

let networks = 0

function run (command, args, input = '') {
  const { error, status, stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8', timeout: 20_000 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`)
  return stdout
}

/** One end of the link, in a network of its own: commands for it, and what to run a program there with. */
class End {
  constructor (name, address) {
    this.name = name
    this.address = address
    this.through = ['ip', 'netns', 'exec', name]
  }

  exec (command, args, input) {
    const [ip, ...rest] = [...this.through, command, ...args]
    return run(ip, rest, input)
  }

  set (...options) {
    run('ip', ['-n', this.name, 'link', 'set', LINK, ...options])
  }

  /** What leaves here leaves so slowly: `16mbit`. */
  limit (rate) {
    this.exec('tc', ['qdisc', 'replace', 'dev', LINK, 'root', 'tbf', 'rate', rate, 'burst', '16kb', 'latency', '200ms'])
  }

  /** What arrives here meets this rule of nftables. */
  filter (rule) {
    const chain = `chain input {\ntype filter hook input priority 0\n${rule}\n}`
    this.exec('nft', ['-f', '-'], `table ip filter {\n${chain}\n}\n`)
  }

  /** Of what arrives here, so many in a hundred are lost. */
  lose (percent) {
    this.filter(`numgen random mod 1000 < ${percent * 10} counter drop`)
  }

  /** How many packets the rule was for. */
  get filtered () {
    return Number(/ packets (\d+) /.exec(this.exec('nft', ['list', 'table', 'ip', 'filter']))[1])
  }

  /** A setting of TCP, such as `tcp_wmem`. */
  tune (setting, value) {
    this.exec('tee', [`/proc/sys/net/ipv4/${setting}`], value)
  }
}

/** Two ends, until the test ends. */
function network (t) {
  const id = `sendfile-native-${process.pid}-${networks++}`
  const ends = {}
  for (const [role, address] of Object.entries(ADDRESSES)) {
    const end = new End(`${id}-${role}`, address)
    run('ip', ['netns', 'add', end.name])
    t.after(() => run('ip', ['netns', 'del', end.name])) // and with it the link
    ends[role] = end
  }
  const { server, client } = ends
  run('ip', ['link', 'add', LINK, 'netns', server.name, 'type', 'veth', 'peer', 'name', LINK, 'netns', client.name])
  for (const end of [server, client]) {
    run('ip', ['-n', end.name, 'address', 'add', `${end.address}/24`, 'dev', LINK])
    // Packets of their own size on the wire: one is lost, and not all that were cut from one write.
    end.set('up', 'gso_max_segs', '1')
  }
  return ends
}

/**
 * A client in its network, until the test ends: what is written to `stdin` goes to the server, what comes is `stdout`.
 * It reads no further than what is read of it, and the buffer of the pipe.
 */
function connectFrom (t, { through }, host, port) {
  const [file, ...rest] = through
  const fixture = path.join(root, 'test', 'fixtures', 'network-client.js')
  const child = spawn(file, [...rest, process.execPath, fixture, host, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  child.stdin.on('error', () => {}) // it has ended
  t.after(() => child.kill('SIGKILL'))
  return child
}

let reason

/** Why there can be no networks here; '' when there can. */
function unavailable () {
  if (reason !== undefined) return reason
  if (process.geteuid() !== 0) return (reason = 'a network of one\'s own needs root')
  const missing = ['ip', 'tc', 'nft'].filter((name) => spawnSync(name, ['-V']).error)
  if (missing.length > 0) return (reason = `${missing.join(', ')} is missing`)
  const cleanups = []
  try {
    const { server, client } = network({ after: (cleanup) => cleanups.push(cleanup) })
    server.limit('100mbit')
    client.lose(1)
    reason = ''
  } catch (err) {
    reason = `refused: ${err.message}`
  }
  for (const cleanup of cleanups) cleanup()
  return reason
}

/** A test between two networks: skipped where there can be none. */
function networkTest (name, run) {
  test(name, (t) => unavailable() === '' ? run(t, network(t)) : t.skip(unavailable()))
}

module.exports = { connectFrom, networkTest }
