'use strict'

// Streams with a mistake each: the comparison has to find every one of them.

const fs = require('node:fs')

const mistakes = {
  'loses a byte': class extends fs.ReadStream {
    push (chunk, encoding) {
      return super.push(this.bytesRead > 40_000 && chunk !== null ? chunk.subarray(1) : chunk, encoding)
    }
  },

  'repeats a piece': class extends fs.ReadStream {
    push (chunk, encoding) {
      if (chunk !== null && this.bytesRead > 65_536 && !this.hasRepeated) {
        this.hasRepeated = true
        super.push(chunk, encoding)
      }
      return super.push(chunk, encoding)
    }
  },

  'loses what comes while nobody takes it': class extends fs.ReadStream {
    push (chunk, encoding) {
      return super.push(this.readableFlowing === false && chunk !== null ? Buffer.alloc(0) : chunk, encoding)
    }
  },

  'never ends': class extends fs.ReadStream {
    emit (name, ...args) {
      return name !== 'end' && super.emit(name, ...args)
    }
  },

  'leaves its descriptor open': class extends fs.ReadStream {
    _destroy (err, callback) {
      callback(err)
    }
  },

  'closes a descriptor that is not its own': class extends fs.ReadStream {
    constructor (path, options) {
      super(path, { ...options, autoClose: true })
    }
  },

  'closes late': class extends fs.ReadStream {
    emit (name, ...args) {
      if (name !== 'close') return super.emit(name, ...args)
      setTimeout(() => super.emit(name, ...args), 1000)
      return true
    }
  },

  'reads one byte too many': class extends fs.ReadStream {
    constructor (path, options) {
      super(path, options)
      this.end++
    }
  },

  'reads from the start, where a descriptor stands or not': class extends fs.ReadStream {
    constructor (path, options) {
      super(path, { start: 0, ...options })
    }
  },

  'ignores its signal': class extends fs.ReadStream {
    constructor (path, options) {
      super(path, { ...options, signal: undefined })
    }
  },

  'tells of an error as of an end': class extends fs.ReadStream {
    emit (name, ...args) {
      return super.emit(name === 'error' ? 'end' : name, ...args)
    }
  },

  'lets others see what is not there': class extends fs.ReadStream {
    emit (name, chunk) {
      if (name === 'data' && this.listenerCount('data') > 1) {
        chunk = Object.defineProperty(Buffer.alloc(0), 'length', { value: chunk.length })
      }
      return super.emit(name, chunk)
    }
  }
}

const broken = Object.entries(mistakes).map(([name, Stream]) => ({
  name,
  createReadStream: (path, options) => new Stream(path, options)
}))

module.exports = { broken }
