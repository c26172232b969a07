'use strict'

// Runs before the program that is tried: puts its server on a free port, and tells whoever listens on the port of
// SENDFILE_TRIED_FROM, a line of JSON each, where that is and how its file was sent. It ends with that connection.

const diagnostics = require('node:diagnostics_channel')
const net = require('node:net')
const path = require('node:path')

const { listen } = net.Server.prototype

process.chdir(__dirname) // chroot(1) begins elsewhere
const teller = net.connect(Number(process.env.SENDFILE_TRIED_FROM), '127.0.0.1')
teller.resume().on('error', () => {}).on('close', () => process.exit())

function tell (message) {
  teller.write(`${JSON.stringify(message)}\n`)
}

function libc () {
  if (process.platform !== 'linux') return process.platform
  process.report.excludeNetwork = true // it would ask a name server about our connection
  const { glibcVersionRuntime: version } = process.report.getReport().header
  return version ? `glibc ${version}` : 'musl'
}

net.Server.prototype.listen = function (port, host) {
  return listen.call(this, 0, host, () => {
    const { version, arch, platform } = process
    const addon = path.basename(Object.keys(require.cache).find((file) => file.endsWith('.node')) ?? '')
    tell({ port: this.address().port, version, arch, platform, libc: libc(), addon })
  })
}

diagnostics.channel('sendfile-native:end').subscribe(({ zeroCopy, reason }) => {
  const { bytes } = require('sendfile-native').stats()
  tell({ zeroCopy, reason, bytes })
})
