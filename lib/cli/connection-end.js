'use strict'

/**
 * Calls `ended` once, when a response is through or its connection has gone: a response that waits behind another on
 * its connection has no 'close' of its own then.
 * @returns {() => void} takes it back
 */
function onEnd (req, res, ended) {
  const { socket } = req
  const takeBack = () => {
    res.off('close', once)
    socket.off('close', once)
  }
  const once = () => {
    takeBack()
    ended()
  }
  res.on('close', once)
  socket.on('close', once)
  if (socket.destroyed) process.nextTick(once)
  return takeBack
}

/** Whether somebody is still there to take an answer. */
function isWanted (req, res) {
  return !res.destroyed && !req.socket.destroyed
}

module.exports = { isWanted, onEnd }
