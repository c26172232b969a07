'use strict'

// What happens to a program while it runs. Each is a function of the run, called when its time has come.

const fs = require('node:fs')
const { turns } = require('../helpers')
const { LARGEST, bytesOf } = require('./expected')
const { MARKER } = require('./program')

const interruptions = {
  pauseAndResume (run, { turns: count }) {
    run.source.pause()
    run.later(turns(count).then(() => run.source.resume()))
  },

  pause (run) {
    run.source.pause()
  },

  unpipeAndPipe (run, { turns: count }) {
    const { source, destination } = run
    let wasPiped = false
    const unpiped = () => { wasPiped = true }
    destination.once('unpipe', unpiped)
    source.unpipe(destination)
    destination.removeListener('unpipe', unpiped)
    const options = { end: run.program.consumer.kind !== 'byHand' }
    run.later(turns(count).then(() => {
      if (wasPiped && !destination.destroyed) source.pipe(destination, options)
    }))
  },

  unpipe (run) {
    run.source.unpipe(run.destination)
  },

  unpipeAll (run) {
    run.source.unpipe()
  },

  readable (run) {
    run.source.on('readable', () => {})
  },

  destroy (run) {
    run.source.destroy()
  },

  destroyWithError (run) {
    run.source.destroy(planned())
  },

  close (run) {
    run.source.close(run.waitsFor('close'))
  },

  abort (run) {
    run.controller.abort()
  },

  destroyDestination (run) {
    run.destination.destroy()
  },

  destroyDestinationWithError (run) {
    run.destination.destroy(planned())
  },

  endDestination (run) {
    run.destination.end()
  },

  leave (run) {
    run.peer.leave()
  },

  reset (run) {
    run.peer.reset()
  },

  cork (run, { turns: count }) {
    run.destination.cork()
    run.later(turns(count).then(() => run.destination.uncork()))
  },

  write (run) {
    if (!run.destination.writableEnded && !run.destination.destroyed) run.destination.write(MARKER)
  },

  truncate (run, { to }) {
    if (fs.statSync(run.path).size > to) fs.truncateSync(run.path, to)
  },

  grow (run, { by }) {
    const { size } = fs.statSync(run.path)
    fs.appendFileSync(run.path, bytesOf('file', Math.min(LARGEST, size + by)).subarray(size))
  }
}

function planned () {
  return Object.assign(new Error('as planned'), { code: 'PLANNED' })
}

module.exports = { interruptions }
