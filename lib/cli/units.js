'use strict'

const PREFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

/** Bytes with three digits or so: 999 B, 1.5 KiB, 40 MiB. */
function formatBytes (bytes) {
  let value = bytes
  let step = 0
  // 1023.9 would be rounded up to 1024.
  while (value >= 1023.5 && step < PREFIXES.length - 1) {
    value /= 1024
    step++
  }
  const digits = step > 0 && value < 9.95 ? 1 : 0
  return `${value.toFixed(digits)} ${PREFIXES[step]}B`
}

function formatRate (bytes, milliseconds) {
  return `${formatBytes(milliseconds > 0 ? bytes / milliseconds * 1000 : 0)}/s`
}

/** 0.4 ms, 12 ms, 1.25 s, 12.5 s, 83 s */
function formatDuration (milliseconds) {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`
  const seconds = milliseconds / 1000
  return `${seconds.toFixed(seconds < 9.995 ? 2 : seconds < 99.95 ? 1 : 0)} s`
}

/** Time to go: 0:05, 12:30, 1:02:03 */
function formatClock (seconds) {
  const rounded = Math.ceil(seconds)
  const parts = [Math.floor(rounded / 60), rounded % 60]
  if (parts[0] >= 60) parts.splice(0, 1, Math.floor(parts[0] / 60), parts[0] % 60)
  return parts.map((part, index) => index === 0 ? part : String(part).padStart(2, '0')).join(':')
}

/** Local time: 2026-01-31 23:59:59, or without the seconds. */
function formatTime (date, { seconds = true } = {}) {
  const two = (number) => String(number).padStart(2, '0')
  const day = `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`
  return `${day} ${time}${seconds ? `:${two(date.getSeconds())}` : ''}`
}

module.exports = { formatBytes, formatClock, formatDuration, formatRate, formatTime }
