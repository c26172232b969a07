'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { blocksOf } = require('./docs/blocks')
const { deadLinks } = require('./docs/links')
const { runBlock } = require('./docs/run-block')
const { root, run, temporaryFolder, test } = require('./helpers')
const { requiresModules } = require('./helpers/example')

const block = (directive, code, language = 'js') => blocksOf(`${directive}\n\`\`\`${language}\n${code}\n\`\`\`\n`)[0]

test('every code block of the documentation does as it says', {
  skip: !requiresModules() && 'Fastify and Koa have dependencies that this Node cannot require'
}, async () => {
  const { code, stdout, stderr } = await run(['test/docs'])
  assert.equal(code, 0, stdout + stderr)
})

test('a block that does otherwise is found', async (t) => {
  const folder = temporaryFolder(t)
  fs.writeFileSync(path.join(folder, 'file'), 'a file')
  const server = (status) => `require('http').createServer((req, res) => res.writeHead(${status}).end()).listen(80)`
  const sender = (text) => `require('net').createServer((socket) => socket.end('${text}')).listen(80)`
  const complaint = async (...args) => runBlock(block(...args), folder)
  assert.equal(await complaint('<!-- test: GET / 200 -->', server(200)), null)
  assert.match(await complaint('<!-- test: GET / 200 -->', server(404)), /GET \/: 404 instead of 200/)
  assert.match(await complaint('<!-- test: GET / 200 -->', 'throw new Error("broken")'), /it ended with 1:[^]*broken/)
  assert.equal(await complaint('<!-- test: sends file -->', sender('a file')), null)
  assert.match(await complaint('<!-- test: sends file -->', sender('another')), /something else/)
  assert.equal(await complaint('', 'process.exit(0)'), null)
  assert.match(await complaint('', 'process.exit(3)'), /it ended with 3/)
  assert.match(await complaint('<!-- test: run -->', 'exit 4', 'sh'), /it ended with 4/)
})

test('README.md leads to every document', () => {
  const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
  const more = text.slice(text.indexOf('\n## More\n'))
  const inFolder = (folder) => fs.readdirSync(path.join(root, folder)).map((file) => path.join(folder, file))
  for (const file of [...inFolder('.'), ...inFolder('docs'), ...inFolder('examples')]) {
    if (file.endsWith('.md') && file !== 'README.md') assert.ok(more.includes(`[${file}](${file}): `), file)
  }
})

test('what cannot be run says why', () => {
  assert.equal(block('<!-- test: not run: it needs a disk -->', 'format c:', 'sh').reason, 'it needs a disk')
  assert.throws(() => block('', 'ls', 'sh'), /what is to be done/)
  assert.throws(() => block('<!-- test: POST / 200 -->', ''), /what is to be done/)
})

test('each link of the documentation to a file or a heading leads there', () => {
  const documents = ['.', 'docs', 'examples'].flatMap((folder) => {
    return fs.readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name))
  })
  assert.ok(documents.includes('README.md') && documents.includes('docs/api.md'))
  const dead = documents.flatMap((name) => deadLinks(path.join(root, name)).map((target) => `${name}: ${target}`))
  assert.deepEqual(dead, [])
})

test('a link that leads nowhere is found', (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'a.md')
  fs.writeFileSync(path.join(folder, 'b.md'), '# `call(one[, two])` of *b*\n\n## Again\n\n```sh\n# no heading\n```\n\n## Again\n')
  const dead = (text) => {
    fs.writeFileSync(file, text)
    return deadLinks(file)
  }
  const alive = ['b.md', 'b.md#callone-two-of-b', 'b.md#again', 'b.md#again-1', '#here', '.', 'https://localhost/x']
  assert.deepEqual(dead(`# Here\n${alive.map((target) => `[\`a[0]\`](${target}) ![](${target})`).join('\n')}`), [])
  assert.deepEqual(dead('`code[0](x)`\n```js\nlist[0](x)\n```\n'), [])
  const lost = ['c.md', 'b.md#again-2', 'b.md#no-heading', '#there', 'c.md#here', '.#here']
  assert.deepEqual(dead(`# Here\n${lost.map((target) => `[x](${target})`).join('\n')}`), lost)
})
