'use strict'

// Where our streams differ from those of fs on purpose.

/** @returns {object[]} what ours may do where fs does this */
function deliberate (observation, program) {
  void program
  return [observation]
}

module.exports = { deliberate }
