'use strict'

const { printableTarget } = require('./printable')
const { formatDuration, formatRate, formatTime } = require('./units')

/**
 * One line of what became of a request.
 * @param {{ time: Date, client: string, method: string, target: string, status: number | null, bytesSent: number,
 *   duration: number, remark: string | null }} request `duration` in milliseconds; no status: nothing was answered
 */
function accessLine ({ time, client, method, target, status, bytesSent, duration, remark }) {
  const request = [formatTime(time), client, method, printableTarget(target), status ?? '-'].join(' ')
  const answer = [`${bytesSent} bytes in ${formatDuration(duration)}`]
  if (bytesSent > 0) answer.push(formatRate(bytesSent, duration))
  if (remark !== null) answer.push(remark)
  return `${request} ${answer.join(', ')}`
}

/** An IPv4 client of a socket for both versions is shown as the IPv4 client that it is. */
function clientOf (address) {
  return address?.replace(/^::ffff:(?=\d+\.)/, '') ?? '-'
}

module.exports = { accessLine, clientOf }
