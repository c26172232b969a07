'use strict'

// Required before a program: the addon that it loads is the one that SENDFILE_NATIVE_ADDON names, built with a
// sanitizer or with its symbols, whichever file the package asks for. Workers inherit it.

const path = require('node:path')

const { dlopen } = process
const { SENDFILE_NATIVE_ADDON: addon } = process.env

process.dlopen = (module, file, ...flags) => {
  const isAddon = path.basename(file).startsWith('sendfile-native.')
  return dlopen.call(process, module, isAddon ? addon : file, ...flags)
}
