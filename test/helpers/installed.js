'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { root, temporaryFolder } = require('.')
const { dependencies, files } = require('../../package.json')

/** The addon that was built here: its name, and where it is. */
const addonFile = fs.readdirSync(root).find((file) => file.endsWith('.node'))
const addon = path.join(root, addonFile)

/**
 * A folder with the package as it is published, but for the addons: those that `addons` names, by file or contents.
 * @param {{ [name: string]: string | Buffer }} [addons]
 */
function installed (t, addons = {}) {
  const modules = path.join(temporaryFolder(t), 'node_modules')
  const folder = path.join(modules, 'sendfile-native')
  for (const entry of ['package.json', ...files].filter((entry) => entry !== 'prebuilds/')) {
    fs.cpSync(path.join(root, entry), path.join(folder, entry), { recursive: true })
  }
  for (const name of Object.keys(dependencies)) {
    fs.symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  }
  for (const [file, source] of Object.entries(addons)) {
    const target = path.join(folder, file)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    if (Buffer.isBuffer(source)) fs.writeFileSync(target, source)
    else fs.cpSync(source, target)
  }
  return path.dirname(modules)
}

module.exports = { addon, addonFile, installed }
