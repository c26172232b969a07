'use strict'

// A large download that waits in its middle until it is told to go on.

const { once } = require('node:events')
const http = require('node:http')

/**
 * @param {string} place address and port
 * @param {Buffer} bytes of the file, each of which is compared
 * @returns {Promise<{ finish: () => Promise<boolean> }>} whether all of it came, and was right
 */
async function startDownload (place, name, bytes) {
  const [host, port] = place.split(':')
  const request = http.get({ host, port, path: `/p/${name}`, agent: false })
  const [response] = await once(request, 'response')
  response.pause()
  const finish = () => new Promise((resolve) => {
    let received = 0
    let isRight = true
    response.on('data', (data) => {
      isRight &&= data.equals(bytes.subarray(received, received + data.length))
      received += data.length
    })
    response.on('error', () => resolve(false)).on('end', () => resolve(isRight && received === bytes.length))
    response.resume()
  })
  return { finish }
}

module.exports = { startDownload }
