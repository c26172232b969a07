'use strict'

// The servers that are held against each other, in the order of the report; a name is that of a file in this folder.

const names = ['transfer-file', 'serve-static', 'express-register', 'stock', 'send', 'npm-serve-static', 'sirv', 'fastify-static',
  'bun', 'nginx', 'floor']

/** Those of this package; the first is what the others are measured by. */
const ours = ['transfer-file', 'serve-static', 'express-register']

/** @param {string[]} [wanted] all, unless some are named */
function servers (wanted = names) {
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length) throw new Error(`there is no server ${unknown.join(', ')}: ${names.join(', ')}`)
  return names.filter((name) => wanted.includes(name)).map((name) => ({ name, ...require(`./${name}`) }))
}

module.exports = { ours, servers }
