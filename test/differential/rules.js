'use strict'

// Where our streams differ from those of fs on purpose.

/** Whose only consumer is one pipe that nobody takes away. */
const PIPED = ['pipe', 'late', 'byHand', 'concat', 'unshift', 'dataBefore', 'afterRead']

/** @returns {object[]} what ours may do where fs does this */
function deliberate (observation, program) {
  return [isAbandoned(observation, program) ? destroyed(observation, program) : observation]
}

/**
 * A destination that closes before it has finished leaves a source of fs paused for good, and its descriptor open.
 * Ours is destroyed with it, if nobody else wants it and it closes by itself.
 */
function isAbandoned ({ source, events }, { consumer, source: { options }, interruptions }) {
  const { destination } = events
  if (!source || source.destroyed || !PIPED.includes(consumer.kind) || options.autoClose === false) return false
  if (!destination.includes('pipe')) return false
  if (interruptions.some(({ what }) => what.startsWith('unpipe'))) return false
  return destination.includes('close') && !destination.includes('finish')
}

function destroyed (observation, { source: { options } }) {
  const { source, events } = observation
  return {
    ...observation,
    events: { ...events, source: options.emitClose === false ? events.source : [...events.source, 'close'] },
    source: { ...source, destroyed: true },
    descriptors: 0
  }
}

module.exports = { deliberate }
