'use strict'

const { formatBytes, formatClock, formatRate } = require('./units')

const LONGEST_BAR = 40
const SHORTEST_BAR = 5

/**
 * How far a download is: `127.0.0.1 [####....]  45 %  45 MiB of 100 MiB  12 MiB/s  0:05`, no wider than that.
 * @param {{ client: string, bytes: number, total: number, rate: number }} download `rate` in bytes a second
 */
function progressLine ({ client, bytes, total, rate }, columns) {
  const done = total > 0 ? Math.min(bytes / total, 1) : 1
  const percent = `${Math.floor(done * 100)} %`.padStart(5)
  const left = rate > 0 ? formatClock((total - Math.min(bytes, total)) / rate) : '-:--'
  const rest = `${percent}  ${formatBytes(Math.min(bytes, total))} of ${formatBytes(total)}  ${formatRate(rate, 1000)}  ${left}`
  const length = Math.min(columns - client.length - rest.length - ' [] '.length, LONGEST_BAR)
  if (length < SHORTEST_BAR) return `${client} ${rest}`.slice(0, columns)
  const filled = Math.floor(done * length)
  return `${client} [${'#'.repeat(filled)}${'.'.repeat(length - filled)}] ${rest}`
}

module.exports = { progressLine }
