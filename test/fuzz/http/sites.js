'use strict'

// The same folder behind serveStatic and behind nginx, each in a process of its own, on loopback.

const { fork, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { freePort, isListening } = require('../../../bench/lib/ports')

/** What stands in every file that nobody is to be sent. */
const SECRET = 'not-for-anybody-'
const MODIFIED = new Date('2020-02-02T02:02:02Z')

/** Bytes of a file, which say of each place which one it is. */
function contents (name, size) {
  const line = (number) => `${name} ${String(number).padStart(8, '0')}\n`
  return Buffer.from(Array.from({ length: Math.ceil(size / line(0).length) }, (_, number) => line(number)).join('').slice(0, size))
}

/** Name below the root -> bytes. */
const FILES = new Map(Object.entries({ 'index.html': 300, 'a.txt': 1000, empty: 0, 'large.bin': 200_000, 'b c.txt': 50, 'folder/index.html': 70,
  'folder/deep/d.txt': 500, 'per%cent.txt': 30, 'ü.txt': 20 }).map(([name, size]) => [name, contents(name, size)]))

/** Writes the root, and secrets around it: the path of the root. */
function prepare (folder) {
  fs.chmodSync(folder, 0o755) // nginx reads as another user
  const root = path.join(folder, 'root')
  for (const [name, bytes] of FILES) {
    const file = path.join(root, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, bytes)
    fs.utimesSync(file, MODIFIED, MODIFIED)
  }
  for (const name of ['secret', 'roots', 'root.txt', 'root-other/secret']) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), SECRET.repeat(10))
  }
  return root
}

async function startOurs (root) {
  const child = fork(path.join(__dirname, 'server.js'), [root], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const site = { name: 'serveStatic', pid: child.pid, stderr: '', ended: null, refused: new Set() }
  child.stderr.setEncoding('utf8').on('data', (text) => { site.stderr = (site.stderr + text).slice(-4000) })
  child.on('exit', (code, signal) => { site.ended = signal ?? code })
  // Whom Node's parser refuses, by port.
  child.on('message', ({ refused }) => refused && site.refused.add(refused))
  const [{ port }] = await once(child, 'message')
  const ask = async () => {
    child.send('condition')
    for (;;) {
      const [condition] = await once(child, 'message')
      if (condition.refused === undefined) return condition
    }
  }
  return Object.assign(site, { port, ask, stop: () => child.kill('SIGKILL') })
}

/** @returns {object | null} null where there is no nginx */
async function startNginx (root, folder) {
  if (spawnSync('nginx', ['-v']).status !== 0) return null
  const port = await freePort()
  const prefix = path.join(folder, 'nginx')
  fs.mkdirSync(path.join(prefix, 'logs'), { recursive: true })
  // What asks for it comes to know what it was taken for: a method in the head, as ours.
  const configuration = `
daemon off; master_process off; worker_processes 1; pid ${prefix}/nginx.pid; error_log ${prefix}/logs/error.log crit;
events { worker_connections 512; }
http {
  access_log off; sendfile on; keepalive_timeout 30; keepalive_requests 100000; server_tokens off; types { }
  client_body_temp_path ${prefix}/body; proxy_temp_path ${prefix}/proxy; fastcgi_temp_path ${prefix}/fastcgi;
  uwsgi_temp_path ${prefix}/uwsgi; scgi_temp_path ${prefix}/scgi; max_ranges 64; merge_slashes off;
  server {
    listen 127.0.0.1:${port}; root ${root}; index index.html; absolute_redirect off;
    add_header X-Method $request_method always; add_header X-Target $request_uri always;
  }
}`
  fs.writeFileSync(path.join(prefix, 'nginx.conf'), configuration)
  const child = spawn('nginx', ['-p', prefix, '-c', path.join(prefix, 'nginx.conf'), '-e', path.join(prefix, 'logs', 'early.log')],
    { stdio: 'ignore' })
  const site = { name: 'nginx', port, pid: child.pid, ended: null, stop: () => child.kill('SIGKILL') }
  child.on('exit', (code, signal) => { site.ended = signal ?? code })
  for (let attempts = 0; attempts < 100 && site.ended === null; attempts++) {
    if (await isListening(port)) return site
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  site.stop()
  return null
}

module.exports = { FILES, MODIFIED, SECRET, prepare, startNginx, startOurs }
