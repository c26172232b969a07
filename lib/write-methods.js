'use strict'

// The methods of an equipped socket: ordinary chunks go to those behind them, net.Socket's own as a rule;
// a batch that holds a region goes to the socket's equipment.

const net = require('node:net')
const { Methods } = require('./methods')
const { regionOf } = require('./region')

const kEquipment = Symbol('sendfile-native.equipment')
const bytesWritten = Object.getOwnPropertyDescriptor(net.Socket.prototype, 'bytesWritten').get

const methods = new Methods({
  _write (chunk, encoding, callback) {
    const equipment = this[kEquipment]
    if (regionOf(chunk)) equipment.write([{ chunk, encoding }], callback)
    else equipment.behind._write.call(this, chunk, encoding, callback)
  },
  _writev (chunks, callback) {
    const equipment = this[kEquipment]
    if (chunks.some(({ chunk }) => regionOf(chunk))) equipment.write(chunks, callback)
    else equipment.behind._writev.call(this, chunks, callback)
  },
  _onTimeout () {
    const equipment = this[kEquipment]
    if (!equipment.peerHasTakenMore()) equipment.behind._onTimeout.call(this)
  }
}, net.Socket.prototype)

const countsRegions = {
  configurable: true,
  get () {
    const known = bytesWritten.call(this)
    return known === undefined ? known : known + this[kEquipment].sent
  }
}

/** @returns {object} the methods behind those of the equipment */
function putWriteMethods (socket, equipment) {
  socket[kEquipment] = equipment
  const behind = methods.putBefore(socket)
  Object.defineProperty(socket, 'bytesWritten', countsRegions)
  return behind
}

/** What net.Socket itself knows of. */
function ordinaryBytesWritten (socket) {
  return bytesWritten.call(socket)
}

function equipmentOf (socket) {
  return socket[kEquipment]
}

/** Whether nobody but this package replaced the methods that write to the kernel. */
function writesToKernel (socket) {
  const isOurs = methods.isBefore(socket)
  const { _write, _writev } = isOurs ? socket[kEquipment].behind : socket
  const { prototype } = net.Socket
  return _write === prototype._write && _writev === prototype._writev
}

module.exports = { equipmentOf, ordinaryBytesWritten, putWriteMethods, writesToKernel }
