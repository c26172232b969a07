'use strict'

const { copyList } = require('./copy')
const { MessageTransfer } = require('./message-transfer')

/**
 * Several parts of a file as the body of an http message, with bytes before each and after the last: one gather list
 * of the message's queue.
 */
class ListTransfer extends MessageTransfer {
  regions = null
  settledRegions = 0

  queueRegions () {
    const { guard, settings: { list: { parts, after } } } = this
    this.regions = parts.map(({ before, offset, length }, index) => {
      guard.writeChunk(before)
      return this.queueRegion(offset, length, index === parts.length - 1)
    })
    guard.writeChunk(after)
    this.region = this.regions.at(-1)
  }

  startCopying (write, done) {
    return copyList(this.file, this.settings.list, write, done)
  }

  regionSettled (region, err) {
    this.settledRegions++
    if (err || this.settledRegions === this.regions.length) super.regionSettled(region, err)
    else this.reason ??= region.copied
  }

  progress () {
    if (this.regions === null) return super.progress()
    return this.regions.reduce((sum, region) => sum + region.progress(), 0)
  }
}

module.exports = { ListTransfer }
