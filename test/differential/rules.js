'use strict'

// Where our streams differ from those of fs on purpose.

const { isNative } = require('../helpers')
const { DESYNCHRONISED } = require('./expected')

/** Consumers that are one pipe: from the beginning, or later, or with somebody else for a while. */
const PIPED = ['pipe', 'byHand', 'concat', 'unshift']
const PIPELINED = ['pipeline', 'pipelinePromise']
const PIPED_LATER = ['late', 'dataBefore', 'afterRead', 'dataToo', 'lateEncoding']

/** Files that can be opened. */
const FOUND = ['path', 'buffer', 'url', 'fd', 'handle']

/**
 * A destination that closes before it has finished leaves a source of fs paused for good, and its descriptor open.
 * Ours is destroyed with it, if nobody else wants it, it is to close by itself, and nobody has taken the pipe away.
 */
function isAbandoned (observation, program) {
  const { consumer, source: { options }, interruptions } = program
  const { source } = observation
  if (!source || options.autoClose === false || !isUnfinished(observation)) return false
  if (![...PIPED, ...PIPED_LATER].includes(consumer.kind)) return false
  // With another interruption, that one may come first, and nothing is left to unpipe.
  return interruptions.length > 1 || interruptions.every(({ what }) => what !== 'unpipe' && what !== 'unpipeAll')
}

/** Closed before all was written, or after something could not be written any more. */
function isUnfinished ({ events: { destination } }) {
  const isLess = !destination?.includes('finish') || destination.some((name) => name.startsWith('error'))
  return destination?.includes('close') && isLess
}

/** A response whose connection ends while it waits for others there hears nothing of it: its source is destroyed. */
function neverBegins ({ events: { destination } }, { destinations: [plan], interruptions }) {
  const ends = interruptions.some(({ what }) => what === 'leave' || what === 'reset')
  return plan?.before && ends && !destination?.includes('finish')
}

/** Whether a file becomes shorter while it is on its way to a connection. */
function shrinks ({ interruptions, destinations }) {
  const isFar = ['response', 'socket', 'upload'].includes(destinations[0]?.kind)
  return isFar && interruptions.some(({ what }) => what === 'truncate')
}

/**
 * A response that is ended before it has what it promised stays open with fs, and what comes next on its connection is
 * taken for the rest. Ours closes the connection.
 */
function isShort ({ destinations }, { destinations: [plan] }) {
  if (plan?.kind !== 'response' || !['length', 'writeHead'].includes(plan.framing)) return false
  if (!destinations?.[0].writableFinished || !destinations[0].peer.answers) return false
  const { answers, body } = destinations[0].peer
  return body.startsWith(DESYNCHRONISED) || answers.some((answer) => /^file .* incomplete /.test(answer))
}

/** What a response has got is known only if nothing was sent before it was piped to. */
function hasToClose ({ consumer, source, interruptions }) {
  const isFirst = interruptions.every(({ when }) => when.event !== 'sync' && when.event !== 'tick')
  return isNative && isFirst && [...PIPED, ...PIPELINED].includes(consumer.kind) && !consumer.preface && !source.signal
}

/** Whether a stream ended because of its destination. */
function isLost (observation, program) {
  const { consumer, interruptions } = program
  const isOne = [...PIPELINED, ...PIPED, ...PIPED_LATER].includes(consumer.kind)
  if (!isOne || !observation.source || !isUnfinished(observation)) return false
  return interruptions.some(({ what }) => /^(leave|reset|destroyDestination)/.test(what))
}

/** All of a file may be handed over at once: by the time that its destination is lost, the source may be at its end. */
function withoutProgress (observation) {
  const lost = 'lost'
  return {
    ...observation,
    events: { ...observation.events, source: lost },
    source: lost,
    descriptors: lost,
    destinations: unended(observation.destinations, lost)
  }
}

function unended ([destination, ...others], instead) {
  return [{ ...destination, writableEnded: instead }, ...others]
}

/**
 * Whether a source that cannot be read has its response destroyed while the one before it may still be under way: then
 * Node passes over it, or destroys the connection, according to which comes first.
 */
function isDestroyedInTurn ({ consumer, source, destinations: [plan] }) {
  const fails = ['missing', 'directory', 'closedFd'].includes(source.from)
  return fails && consumer.onError === 'destroy' && plan?.kind === 'response' && (plan.before || plan.pipelined)
}

/** An observation without what is different on purpose. */
function comparable (observation, program) {
  const { thrown, leaked } = observation
  // How much of it was on its way by then, and whether that can still be noticed, nobody knows.
  if (shrinks(program)) return { thrown, leaked }
  if (neverBegins(observation, program)) return { thrown, isWaiting: true }
  if (isShort(observation, program)) {
    const [destination, ...others] = observation.destinations
    observation = { ...observation, destinations: [{ ...destination, peer: 'short' }, ...others] }
  }
  // What was handed over before arrives, and all of it may have been.
  if (program.isCut && observation.source && !observation.events.source.includes('end')) {
    const destinations = observation.destinations.map((one) => one.peer.body ? { ...one, peer: { ...one.peer, body: 'some' } } : one)
    observation = { ...observation, destinations }
  }
  if (isDestroyedInTurn(program)) {
    const destinations = observation.destinations.map((one) => ({ ...one, peer: 'destroyed' }))
    observation = { ...observation, destinations }
  }
  const abandoned = 'abandoned'
  if (observation.events.second && isUnfinished(observation)) {
    const destinations = unended(observation.destinations, abandoned)
    observation = { ...observation, destinations, events: { ...observation.events, second: abandoned } }
  }
  if (isLost(observation, program)) observation = withoutProgress(observation)
  if (!isAbandoned(observation, program)) return observation
  const { events, callbacks } = observation
  return {
    ...observation,
    events: { ...events, source: abandoned },
    callbacks: { ...callbacks, finished: abandoned, close: abandoned },
    source: abandoned,
    destinations: unended(observation.destinations, abandoned),
    read: abandoned,
    late: abandoned,
    descriptors: abandoned,
    leaked: abandoned
  }
}

/** What ours has to do that fs does not. */
function omitted (observation, program) {
  if (isShort(observation, program) && hasToClose(program)) {
    const { ending, body } = observation.destinations[0].peer
    if (ending === 'open') return 'a response that is too short leaves its connection open'
    if (body.startsWith(DESYNCHRONISED)) return 'what follows a response that is too short is taken for the rest of it'
  }
  if (!isAbandoned(observation, program)) return null
  const { consumer, interruptions } = program
  const { source, descriptors, leaked } = observation
  const happens = (...names) => interruptions.some(({ what }) => names.includes(what))
  const mayFail = happens('destroyWithError', 'abort') || program.source.signal || !FOUND.includes(program.source.from)
  if (source.errored && !mayFail) return 'a source fails because its destination does'
  const isFree = !PIPED.includes(consumer.kind) || happens('unpipe', 'unpipeAll', 'unpipeAndPipe', 'pause', 'readable')
  // It was destroyed, or ended, before it was piped to.
  const isGone = interruptions.some(({ what, when }) => what.includes('Destination') && when.event === 'sync')
  if (!isNative || isFree || isGone) return null
  // An error has ended it before: what becomes of its descriptor then is as with fs.
  if (source.errored) return null
  return source.destroyed && descriptors === 0 && leaked === 0 ? null : 'a source whose destination has closed is left open'
}

module.exports = { comparable, omitted }
