'use strict'

const os = require('node:os')

const WILDCARDS = new Set(['0.0.0.0', '::'])

/**
 * The URLs by which a server can be reached.
 * @param {string} host where to listen, as it was given
 * @param {{ address: string, port: number }} bound as server.address() has it
 */
function urlsOf (host, { address, port }) {
  const hosts = WILDCARDS.has(address) ? ownAddresses(address) : [host]
  return hosts.map((name) => `http://${name.includes(':') ? `[${name}]` : name}:${port}/`)
}

/** Of this machine, those first that only it can use. */
function ownAddresses (wildcard) {
  return Object.values(os.networkInterfaces()).flat()
    // An IPv6 address that holds on one link only would need that link's name, which no browser takes.
    .filter(({ address, family }) => (isIPv4(family) || wildcard === '::') && !/^fe80:/i.test(address))
    .sort((a, b) => b.internal - a.internal || isIPv4(b.family) - isIPv4(a.family))
    .map(({ address }) => address)
}

/** Node 18.0 to 18.3 have a number there. */
function isIPv4 (family) {
  return family === 'IPv4' || family === 4
}

module.exports = { urlsOf }
