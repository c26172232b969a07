'use strict'

// An upload: files to an http.ClientRequest. The server compares what comes with the model.

const http = require('node:http')
const { textOf } = require('./model')
const { LOST, send, sourceOf } = require('./send')

const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 8 })

/** Destroys the agent's connections: they go with the run. */
function closeUploads () {
  agent.destroy()
}

/** @param {object} world as runSession's */
async function runUpload (plan, { folder, places, counted, verified }) {
  const { port, host, path: socketPath } = places.http[plan.unix ? 1 : 0]
  const { steps } = plan
  const length = steps.reduce((sum, step) => sum + step.length, 0)
  const req = http.request({
    port, host, socketPath, agent, method: 'POST',
    path: `/${encodeURIComponent(JSON.stringify({ ...plan, kind: 'upload' }))}`
  })
  if (plan.framing === 'chunked') req.setHeader('Transfer-Encoding', 'chunked')
  if (plan.framing === 'length') req.setHeader('Content-Length', length)
  const answered = answerOf(req)
  const leaving = plan.leave && setTimeout(() => req.destroy(), plan.leave.ms)

  const problems = []
  const sent = await sendSteps(req, plan, folder, (message) => problems.push(`client: ${message}`))
  const { status, body, err } = await answered
  clearTimeout(leaving)
  if (problems.length > 0) throw new Error(problems.join('\n'))

  const isCut = plan.leave !== undefined || plan.refuseAt !== undefined || sent?.name === 'AbortError'
  if (status === undefined) {
    if (!isCut || !(LOST.includes(err.code) || err.name === 'AbortError')) throw err
    counted('upload: cut')
    return
  }
  if (status === 413 && plan.refuseAt !== undefined) return counted('upload: refused')
  if (status !== 200) throw new Error(`status ${status} of an upload: ${body}`)
  const { bytes, ok } = JSON.parse(body)
  if (!ok || bytes !== length) throw new Error(`${bytes} of ${length} bytes were uploaded: ${body}`)
  verified(length)
  counted('upload')
}

/** Sends it all; resolves with what transferFile failed with, or null. */
async function sendSteps (req, { single, steps }, folder, failed) {
  for (const step of steps) {
    if (!step.name) {
      req.write(textOf(step))
      continue
    }
    const err = await send(req, await sourceOf(folder, step), step, { endDestination: single, failed })
    if (err) {
      req.destroy(err.name === 'AbortError' ? err : undefined)
      return err
    }
  }
  if (!single) req.end()
  return null
}

/** The response, or the error that came in its place. */
function answerOf (req) {
  return new Promise((resolve) => {
    req.on('response', (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text) => { body += text })
      res.on('error', (err) => resolve({ err }))
      res.on('end', () => resolve({ status: res.statusCode, body }))
    })
    let error = null
    req.on('error', (err) => { error = err })
    req.on('close', () => setImmediate(resolve, { err: error ?? Object.assign(new Error('no answer'), { code: 'ECONNRESET' }) }))
  })
}

module.exports = { closeUploads, runUpload }
