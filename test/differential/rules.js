'use strict'

// Where our streams differ from those of fs on purpose.

/** Consumers that are one pipe: from the beginning, or later, or with somebody else for a while. */
const PIPED = ['pipe', 'byHand', 'concat', 'unshift']
const PIPED_LATER = ['late', 'dataBefore', 'afterRead', 'dataToo', 'lateEncoding']

/**
 * A destination that closes before it has finished leaves a source of fs paused for good, and its descriptor open.
 * Ours is destroyed with it, if nobody else wants it, it is to close by itself, and nobody has taken the pipe away.
 */
function isAbandoned (observation, { consumer, source: { options }, interruptions }) {
  const { source, events } = observation
  if (!source || options.autoClose === false || !isUnfinished(observation)) return false
  if (![...PIPED, ...PIPED_LATER].includes(consumer.kind)) return false
  if (interruptions.some(({ what }) => what === 'unpipe' || what === 'unpipeAll')) return false
  // Resumed by somebody, it runs to its end without a destination.
  return !events.source.includes('end') || interruptions.some(({ what }) => what === 'pauseAndResume')
}

function isUnfinished ({ events: { destination } }) {
  return destination?.includes('close') && !destination.includes('finish')
}

/** Whether a file becomes shorter while it is on its way to a connection. */
function shrinks ({ interruptions, destinations }) {
  const isFar = ['response', 'socket', 'upload'].includes(destinations[0]?.kind)
  return isFar && interruptions.some(({ what }) => what === 'truncate')
}

/**
 * A response that gets fewer bytes than it promised, because its file was shorter, stays open with fs, and what comes
 * next on its connection is taken for the rest. Ours may close the connection.
 */
function isShort ({ destinations }, { source, destinations: [plan] }) {
  if (source.shortened === undefined || plan?.kind !== 'response' || !destinations) return false
  if (plan.framing !== 'length' && plan.framing !== 'writeHead') return false
  const { answers, body } = destinations[0].peer
  const isEmpty = body?.startsWith('nothing') && answers.some((answer) => /^file .* complete /.test(answer))
  return answers !== undefined && !body.startsWith('all') && !isEmpty
}

/** An observation without what is different on purpose. */
function comparable (observation, program) {
  const { thrown, leaked } = observation
  // How much of it was on its way by then, and whether that can still be noticed, nobody knows.
  if (shrinks(program)) return { thrown, leaked }
  if (isShort(observation, program)) return { thrown, leaked, isShort: true }
  const abandoned = 'abandoned'
  if (observation.events.second && isUnfinished(observation)) {
    observation = { ...observation, events: { ...observation.events, second: abandoned } }
  }
  if (!isAbandoned(observation, program)) return observation
  const { events, callbacks } = observation
  return {
    ...observation,
    events: { ...events, source: abandoned },
    callbacks: { ...callbacks, finished: abandoned, close: abandoned },
    source: abandoned,
    read: abandoned,
    late: abandoned,
    descriptors: abandoned,
    leaked: abandoned
  }
}

/** What ours has to do that fs does not. */
function omitted (observation, program) {
  const { consumer, interruptions } = program
  const isFree = !PIPED.includes(consumer.kind) || interruptions.some(({ what }) => what === 'unpipeAndPipe')
  const { source, descriptors, leaked } = observation
  // An error has ended it before: what becomes of its descriptor then is as with fs.
  if (!isAbandoned(observation, program) || isFree || source.errored) return null
  return source.destroyed && descriptors === 0 && leaked === 0 ? null : 'a source whose destination has closed is left open'
}

module.exports = { comparable, omitted }
