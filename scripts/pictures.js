'use strict'

// npm run docs:pictures: the pictures of docs/design.md, in SVG by Graphviz, from their sources in docs/pictures.

const fs = require('node:fs')
const path = require('node:path')
const { instance } = require('@viz-js/viz')

// Graphviz asks for it, and Node 18 has none.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
globalThis.crypto ??= require('node:crypto').webcrypto

const FOLDER = path.join(__dirname, '..', 'docs', 'pictures')

// A background of their own: they are read on light and on dark pages.
const FONT = { fontname: 'Verdana' } // the widest of the usual ones is measured, any is used
const LOOK = {
  graphAttributes: {
    ...FONT, bgcolor: '#ffffff', color: '#d0d7de', fontcolor: '#57606a', fontsize: 12, pad: 0.25, style: 'rounded'
  },
  nodeAttributes: {
    ...FONT, color: '#57606a', fillcolor: '#f6f8fa', fontcolor: '#1f2328', fontsize: 12, height: 0.4, margin: '0.2,0.09',
    shape: 'box', style: 'rounded,filled'
  },
  edgeAttributes: { ...FONT, arrowsize: 0.7, color: '#57606a', fontcolor: '#1f2328', fontsize: 11 }
}

/** The names of all pictures. */
function names () {
  return fs.readdirSync(FOLDER).filter((file) => file.endsWith('.dot')).map((file) => path.parse(file).name).sort()
}

/**
 * @param {string} source in DOT
 * @returns {Promise<string>} the picture, the same for the same source; a warning is an error
 */
async function draw (source) {
  const graphviz = await instance()
  const { errors, output } = graphviz.render(source, { format: 'svg', ...LOOK })
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'))
  return output.replaceAll('font-family="Verdana"', 'font-family="sans-serif"').replace(/<g id="node[^]*?<\/g>/g, centred)
}

/** Graphviz places lines of several looks by their left ends, as measured: in the middle they are right in any font. */
function centred (node) {
  const outline = /<(?:path|polygon) [^>]*(?:d|points)="([^"]+)"/.exec(node)
  if (outline === null) return node
  const xs = [...outline[1].matchAll(/(-?[\d.]+),/g)].map(([, x]) => Number(x))
  const middle = ((Math.min(...xs) + Math.max(...xs)) / 2).toFixed(2)
  return node.replace(/text-anchor="start" x="[^"]+"/g, `text-anchor="middle" x="${middle}"`)
}

async function main () {
  for (const name of names()) {
    const source = fs.readFileSync(path.join(FOLDER, `${name}.dot`), 'utf8')
    fs.writeFileSync(path.join(FOLDER, `${name}.svg`), await draw(source))
    console.log(`docs/pictures/${name}.svg`)
  }
}

if (require.main === module) main()

module.exports = { FOLDER, draw, names }
