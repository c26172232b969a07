'use strict'

// node test/memory/exercise.js ROUNDS SEED
//
// The program that runs under the tools: every way by which bytes leave, be it to the end or broken off, for so many
// rounds, on the main thread and in workers. Every byte that arrives is compared. The last line on stdout says in JSON
// what was done: an address that was mistaken matters only on a way that was taken.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { stats } = require('sendfile-native')
const { Random } = require('../soak/random')
const { World } = require('./world')
const { ways } = require('./ways')

/** Of these only the main thread is sure to see each: what a worker sends is counted for the process. */
function notTaken () {
  const { bytes, streams, wouldBlocks, wakeUps } = stats()
  const { sendfile, send, inline, reactor, copied } = bytes
  const counts = { sendfile, send, inline, reactor, copied, regions: streams.regions, wouldBlocks, wakeUps }
  return Object.keys(counts).filter((name) => counts[name] === 0)
}

async function rounds (folder, count, names) {
  const world = new World(folder)
  const sum = { cases: 0, faults: 0, bytes: 0, notes: [] }
  for (let round = 0; round < count; round++) {
    for (const name of names) {
      const { bytes = 0, faults = 0, note } = await ways[name](world)
      sum.cases++
      sum.bytes += bytes
      sum.faults += faults
      if (note !== undefined && !sum.notes.includes(note)) sum.notes.push(note)
    }
  }
  await world.close()
  return sum
}

/** The same in a worker, all of it. */
function inWorker (folder, count, names) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { folder, count, names } })
    let sum
    worker.once('message', (message) => { sum = message })
    worker.once('error', reject)
    worker.once('exit', (code) => code === 0 ? resolve(sum) : reject(new Error(`a worker ended with ${code}`)))
  })
}

/** A worker that is ended after so many milliseconds, in the middle of whatever it does. */
async function terminated (folder, names, ms) {
  const worker = new Worker(__filename, { workerData: { folder, count: Infinity, names } })
  worker.on('error', (err) => { throw err })
  await new Promise((resolve) => worker.once('message', resolve))
  await new Promise((resolve) => setTimeout(resolve, ms))
  await worker.terminate()
  return { cases: 1, faults: 1, bytes: 0, notes: [] }
}

async function main () {
  const [count, seed] = process.argv.slice(2).map(Number)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-memory-'))
  try {
    const names = Object.keys(ways)
    const inWorkers = names.filter((name) => name !== 'cold') // which runs a program, and waits for it
    const sub = (name) => {
      const place = path.join(folder, name)
      fs.mkdirSync(place)
      return place
    }
    const sums = [await rounds(sub('main'), count, names)]
    sums.push(...await Promise.all([
      rounds(sub('beside'), count, names), inWorker(sub('worker'), count, inWorkers), terminated(sub('ended'), inWorkers, new Random(seed).between(0, 400))
    ]))
    const missing = notTaken()
    if (missing.length > 0) throw new Error(`not taken: ${missing.join()}`)
    const total = (name) => sums.reduce((sum, each) => sum + each[name], 0)
    const notes = [...new Set(sums.flatMap((each) => each.notes))]
    console.log(JSON.stringify({ cases: total('cases'), faults: total('faults'), bytes: total('bytes'), notes, stats: stats() }))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

async function work ({ folder, count, names }) {
  if (count === Infinity) parentPort.postMessage('begins')
  parentPort.postMessage(await rounds(folder, count, names))
}

if (isMainThread) main()
else work(workerData)
