'use strict'

// A folder served by Express: by express.static, and by res.sendFile under /files/.
//   node --require sendfile-native/register examples/express.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Nothing in this program knows of sendfile-native: without `--require` it does the same by copying.
// A video of the folder: http://127.0.0.1:<port>/video.html?file=<name>

const path = require('node:path')
const express = require('express')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: express <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = path.resolve(process.argv[3])

const app = express()
app.get('/video.html', (req, res) => res.sendFile(path.join(__dirname, 'video.html')))
app.get('/files/*name', (req, res, next) => {
  // An answer that was broken off is no error of the program.
  res.sendFile(req.params.name.join('/'), { root }, (err) => { if (err && !res.headersSent) next(err) })
})
app.use(express.static(root))

const server = app.listen(port, process.env.HOST ?? '127.0.0.1', (err) => {
  if (err) { console.error(err.message); process.exit(1) } // such as a port in use
  console.log(`Serving ${root} on port ${server.address().port}`)
})
process.once('SIGINT', () => { server.close(); server.closeAllConnections() })
