'use strict'

// A page of some site may have its name resolve to 127.0.0.1 and then read what is shared with this machine only
// ("DNS rebinding"). Its requests carry that name in Host, and names of others are not answered.

const net = require('node:net')

/**
 * @param {string | undefined} header the request's Host
 * @param {string} host where the server listens, as it was given
 */
function isOwnHost (header, host) {
  if (header === undefined) return true // no browser
  const name = header.replace(/:\d*$/, '').toLowerCase()
  return name === host.toLowerCase() || /(?:^|\.)localhost$/.test(name) || net.isIP(name.replace(/^\[(.+)\]$/, '$1')) > 0
}

/** @param {string} address that a server listens at */
function isLoopback (address) {
  return /^127\.|^::1$|^::ffff:127\./.test(address)
}

module.exports = { isLoopback, isOwnHost }
