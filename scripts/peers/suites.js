'use strict'

// How the tests of each project are run, by the name of its package. The arguments are those of the project's own test
// script, without linters, coverage and --bail: every test is run to the last one. `serveStatic` is the file in whose
// place serveStatic can be put.

const fs = require('node:fs')
const { createRequire } = require('node:module')
const path = require('node:path')

/** The files under a folder whose paths match, in order. */
function files (folder, below, pattern) {
  return fs.readdirSync(path.join(folder, below), { recursive: true })
    .map((file) => path.join(below, file))
    .filter((file) => pattern.test(file) && !file.includes('node_modules'))
    .sort()
}

const suites = {
  send: { kind: 'mocha', args: ['--check-leaks'] },
  'serve-static': {
    kind: 'mocha',
    args: ['--check-leaks', 'test/'],
    serveStatic: (folder) => createRequire(path.join(folder, 'test', '_')).resolve('..')
  },
  express: {
    kind: 'mocha',
    args: ['--require', 'test/support/env', '--check-leaks', 'test/', 'test/acceptance/'],
    serveStatic: (folder) => createRequire(path.join(folder, 'lib', '_')).resolve('serve-static')
  },
  connect: { kind: 'mocha', args: ['--require', 'test/support/env', '--check-leaks', 'test/'] },
  compression: { kind: 'mocha', args: ['--check-leaks'] },
  destroy: { kind: 'mocha', args: [] },
  'koa-send': { kind: 'mocha', args: ['--require', 'should', '--exit'] },
  'koa-static': { kind: 'mocha', args: ['--exit'] },
  '@koa/send': { kind: 'jest', args: ['--detectOpenHandles'] },
  'serve-handler': { kind: 'jest', args: ['--forceExit', 'test/integration.test.js'] },
  '@fastify/static': { kind: 'node-test', files: (folder) => files(folder, 'test', /\.test\.js$/) },
  '@fastify/send': { kind: 'node-test', files: (folder) => files(folder, 'test', /\.test\.js$/) },
  fastify: { kind: 'node-test', files: (folder) => files(folder, 'test', /\.test\.m?js$/) },
  koa: { kind: 'node-test', files: (folder) => files(folder, '__tests__', /\.test\.js$/) },
  st: { kind: 'node-test', args: ['--test-concurrency=1'], files: (folder) => files(folder, 'test', /-test\.js$/) },
  '@hapi/inert': { kind: 'lab', args: ['-f', '-a', '@hapi/code'] },
  'http-server': { kind: 'tap', files: (folder) => files(folder, 'test', /^test\/[^/]*\.test\.js$/) },
  'graceful-fs': { kind: 'tap', files: () => ['test.js'] },
  sirv: { kind: 'uvu', args: ['tests', 'sirv\\.mjs$'] },
  // Node's own: what reads files by streams, and what pipes.
  node: { kind: 'programs', atOnce: 2, files: nodeTests }
}

function nodeTests (folder) {
  return files(folder, 'test/parallel', /\/test-[^/]*\.m?js$/).filter((file) => {
    const source = fs.readFileSync(path.join(folder, file), 'utf8')
    return source.includes('ReadStream') || (/\/test-(fs|http|net|pipe|stream)/.test(file) && /\.pipe\(|pipeline\(/.test(source))
  })
}

function manifest (file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {}
}

/** The version of Node whose tests are in a folder: its repository's, or the folder's name. */
function nodeVersion (folder) {
  const header = path.join(folder, 'src', 'node_version.h')
  if (!fs.existsSync(header)) return /[\d.]+$/.exec(folder)?.[0]
  const text = fs.readFileSync(header, 'utf8')
  return ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)[1]).join('.')
}

/**
 * @param {string} folder a checkout
 * @returns {object | null} how to run it: name, version, folder, runsOn, kind, args, files, serveStatic
 */
function suiteOf (folder) {
  const own = manifest(path.join(folder, 'package.json'))
  const inner = manifest(path.join(folder, 'packages', 'sirv', 'package.json')) // a monorepo
  for (const { name, version } of [own, inner]) {
    if (Object.hasOwn(suites, name ?? '')) return { name, version, folder, runsOn: () => true, ...suites[name] }
  }
  if (!fs.existsSync(path.join(folder, 'test', 'parallel', 'test-fs-read-stream.js'))) return null
  const version = nodeVersion(folder)
  const major = Number.parseInt(version)
  return { name: 'node', version, folder, runsOn: (other) => Number(other) === major - major % 2, ...suites.node }
}

module.exports = { suiteOf }
