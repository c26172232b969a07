'use strict'

// Which of the reports of a run are ours: those with a frame of the addon, wherever in a stack. What Node, V8 and the
// libraries of the system do among themselves is theirs.

/** What napi-rs leaks when an environment ends, each bounded: more than that is ours, or would be news. */
const KNOWN = [
  {
    note: 'napi-rs never deletes its reference to the constructor of a class: 40 bytes for each class and environment',
    isOf: (names) => names.includes('napi_create_reference') && /register_classes|ModuleClassProperty/.test(names),
    most: (environments) => 40 * 2 * environments
  },
  {
    note: 'napi-rs does not free answers that wait in the queue of an environment that ends: 40 bytes each',
    isOf: (names) => names.includes('call_threadsafe_function_with_data') && names.includes('NodeMailbox'),
    most: () => 40 * 16 // as many as a way has under way at once
  }
]

/**
 * Of a descriptor ThreadSanitizer knows only what libc does. The addon opens by openat2(2) and libuv closes by close(2)
 * through syscall(2): a number that was given to somebody else meanwhile looks like a race for it. That descriptors are
 * owned is what the type system sees to, and the tests of reused numbers. close(2) itself touches no memory.
 */
function isDescriptor ({ what, location, frames }) {
  if (!/ThreadSanitizer: data race/.test(what)) return false
  return location.startsWith('file descriptor ') || /^close .*tsan_interceptors/.test(frames[0].text)
}

/**
 * @param {object[]} reports
 * @param {string} addon its file
 * @param {number} environments that loaded it
 * @returns {{ ours: object[], notes: string[] }}
 */
function judge (reports, addon, environments) {
  const touching = reports.filter(({ frames }) => frames.some(({ module }) => module === addon))
  const ours = []
  const notes = []
  const named = touching.map((report) => ({ report, names: report.frames.map(({ text }) => text).join('\n') }))
  const isKnown = ({ report, names }) => report.leaked > 0 && KNOWN.some(({ isOf }) => isOf(names))
  for (const { note, isOf, most } of KNOWN) {
    const these = named.filter(({ report, names }) => report.leaked > 0 && isOf(names)).map(({ report }) => report)
    const leaked = these.reduce((sum, report) => sum + report.leaked, 0)
    if (leaked > most(environments)) ours.push(...these)
    else if (leaked > 0) notes.push(note)
  }
  const descriptors = touching.filter(isDescriptor)
  if (descriptors.length > 0) notes.push('ThreadSanitizer does not see descriptors opened and closed by syscall(2)')
  ours.push(...named.filter((each) => !isKnown(each) && !isDescriptor(each.report)).map(({ report }) => report))
  return { ours, notes }
}

module.exports = { judge }
