'use strict'

// Text from elsewhere on its way to a terminal, or into a page: what could move a cursor, or turn the text around it,
// is shown.

// eslint-disable-next-line no-control-regex -- those are the ones
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** A name or a message: control characters as in JavaScript. */
function printable (text) {
  return text.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** A request's target, whose characters are bytes: all but plain ASCII as in URLs, so that it is one word. */
function printableTarget (target) {
  return target.replace(/[^\x21-\x7e]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

module.exports = { printable, printableTarget }
