'use strict'

/**
 * Methods that are put before those of many objects. They are the same functions for all: a closure each
 * would turn objects with so many properties into dictionaries, of kilobytes.
 */
class Methods {
  /**
   * @param {object} methods what is put there
   * @param {object} usual the prototype that those behind them come from, as a rule
   */
  constructor (methods, usual) {
    this.names = Object.keys(methods)
    this.descriptors = Object.fromEntries(this.names.map((name) => {
      return [name, { value: methods[name], writable: true, configurable: true }]
    }))
    this.usual = this.of(usual)
  }

  isBefore (object) {
    return this.names.every((name) => object[name] === this.descriptors[name].value)
  }

  of (object) {
    return Object.fromEntries(this.names.map((name) => [name, object[name]]))
  }

  /** @returns {object} the methods that are behind them now: the object's own, its subclass's, or the usual */
  putBefore (object) {
    const behind = this.names.every((name) => object[name] === this.usual[name]) ? this.usual : this.of(object)
    Object.defineProperties(object, this.descriptors)
    return behind
  }
}

module.exports = { Methods }
