'use strict'

// Who consumes a source. Each is a function of the run, called in the turn in which the source was made.

const { PassThrough, Readable, pipeline, promises } = require('node:stream')
const { Collected } = require('./collected')
const { PREFACE, TAIL } = require('./program')

const consumers = {
  pipe (run) {
    run.source.pipe(run.destination)
  },

  late (run, { when }) {
    run.when({ event: when }, () => run.source.pipe(run.destination))
  },

  byHand (run, { tail }) {
    run.source.pipe(run.destination, { end: false })
    run.source.on('end', () => tail ? run.destination.end(TAIL) : run.destination.end())
  },

  concat (run) {
    run.source.pipe(run.destination, { end: false })
    run.source.on('end', () => {
      const second = run.implementation.createReadStream(run.world.second)
      run.watch('second', second, ['end', 'error', 'close'])
      run.holders.push(second)
      second.pipe(run.destination)
    })
  },

  pipeline (run) {
    pipeline(run.source, run.destination, run.waitsFor('pipeline'))
  },

  pipelinePromise (run) {
    const called = run.waitsFor('pipeline')
    promises.pipeline(run.source, run.destination).then(() => called(), called)
  },

  through (run) {
    const between = new PassThrough()
    run.holders.push(between)
    run.watch('between', between, ['error'])
    run.source.pipe(between).pipe(run.destination)
  },

  throughPipeline (run) {
    pipeline(run.source, new PassThrough(), run.destination, run.waitsFor('pipeline'))
  },

  two (run) {
    for (const { stream } of run.destinations) run.source.pipe(stream)
  },

  dataToo (run, { when, count }) {
    run.source.pipe(run.destination)
    const late = new Collected(run)
    run.late = late
    const attach = () => run.source.on('data', (chunk) => late.take(chunk))
    run.lateIsWhole = when === 'sync' || when === 'tick'
    if (when === 'immediate' && count > 100) run.when({ received: count }, attach)
    else run.when({ event: when }, attach)
  },

  lateEncoding (run, { when, count }) {
    run.source.pipe(run.destination)
    const set = () => run.source.setEncoding('hex')
    if (run.program.source.options.encoding) return
    run.isAnyCount = when === 'immediate'
    if (when === 'immediate' && count > 100) run.when({ received: count }, set)
    else run.when({ event: when }, set)
  },

  afterRead (run, { count, breaks }) {
    const taken = run.reader(false)
    run.source.once('readable', () => {
      const chunk = run.source.read(Math.min(count, 4096) || undefined) ?? run.source.read()
      if (chunk !== null) {
        if (breaks && !run.source.readableEnded) run.source.unshift(chunk)
        else taken.take(chunk)
      }
      run.source.pipe(run.destination)
    })
  },

  unshift (run, { breaks }) {
    if (!breaks) run.source.unshift(Buffer.from(PREFACE))
    run.source.pipe(run.destination)
  },

  dataBefore (run) {
    const taken = run.reader(false)
    const first = (chunk) => {
      taken.take(chunk)
      run.source.removeListener('data', first)
      run.source.pipe(run.destination)
    }
    run.source.on('data', first)
  },

  data (run) {
    const all = run.reader()
    run.source.on('data', (chunk) => all.take(chunk))
  },

  readable (run, { count }) {
    const all = run.reader()
    const size = count % 3 === 0 ? undefined : 1 + count % 5000
    run.source.on('readable', () => {
      for (let chunk; (chunk = run.source.read(size)) !== null;) all.take(chunk)
    })
  },

  async iterate (run, { count, breaks }) {
    const all = run.reader()
    const called = run.waitsFor('iteration')
    try {
      for await (const chunk of run.source) {
        all.take(chunk)
        if (breaks && all.count >= count) break
      }
      called()
    } catch (err) {
      called(err)
    }
  },

  async web (run, { count, breaks }) {
    const all = run.reader()
    const called = run.waitsFor('web')
    try {
      // eslint-disable-next-line n/no-unsupported-features/node-builtins -- experimental before Node 24
      const reader = Readable.toWeb(run.source).getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done) break
        all.take(value)
        if (breaks && all.count >= count) {
          await reader.cancel()
          break
        }
      }
      called()
    } catch (err) {
      called(err)
    }
  },

  resume (run) {
    run.source.resume()
  }
}

module.exports = { consumers }
