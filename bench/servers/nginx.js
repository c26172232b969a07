'use strict'

// nginx: one worker, sendfile, tcp_nopush.

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { freePort, isListening } = require('../lib/ports')
const { stop } = require('../lib/program')

const TRIES = 100
const PAUSE_MS = 20

const configuration = (folder, own, port) => `
${process.getuid() === 0 ? `user ${os.userInfo().username};` : ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${own}/pid;
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  send_timeout 1h;
  default_type application/octet-stream;
  client_body_temp_path ${own}/body; proxy_temp_path ${own}/proxy; fastcgi_temp_path ${own}/fastcgi;
  uwsgi_temp_path ${own}/uwsgi; scgi_temp_path ${own}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096; root ${folder}; }
}
`

function workersOf (pid) {
  return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
}

module.exports = {
  title: 'nginx',
  missing: () => spawnSync('nginx', ['-v']).error ? 'there is no nginx' : '',
  version: () => spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr.trim().replace(/^.*\//, ''),
  async start (folder) {
    const own = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-nginx-'))
    const port = await freePort()
    const file = path.join(own, 'nginx.conf')
    fs.writeFileSync(file, configuration(folder, own, port))
    const child = spawn('nginx', ['-e', 'stderr', '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] })
    for (let tries = 0; workersOf(child.pid).length === 0 || !await isListening(port); tries++) {
      if (tries === TRIES || child.exitCode !== null) throw new Error('nginx does not listen')
      await sleep(PAUSE_MS)
    }
    const end = async () => {
      await stop(child)
      fs.rmSync(own, { recursive: true })
    }
    return { child, pids: [child.pid, ...workersOf(child.pid)], port, ask: null, stop: end }
  }
}
