'use strict'

/**
 * Content-Disposition that names a file (RFC 6266) and leaves it to the client whether to show it.
 * @param {string} name
 */
function contentDisposition (name) {
  // eslint-disable-next-line no-control-regex -- nor may a name have them elsewhere
  const plain = name.replace(/[\x00-\x1f\x7f-\x9f/\\]/g, '_')
  // curl, for one, knows this form only. Its bytes are UTF-8, as of the name.
  const quoted = Buffer.from(plain.replace(/"/g, '_')).toString('latin1')
  const encoded = encodeURIComponent(plain).replace(/['()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
  return `inline; filename="${quoted}"; filename*=UTF-8''${encoded}`
}

module.exports = { contentDisposition }
