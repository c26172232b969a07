'use strict'

// The long proofs, in their order: what each is run by, shortly and in full. Each tells by its last line what it did
// (test/helpers/proof.js). The quick forms have the same seed each time, the full ones a new one.

const GC = '--expose-gc'

module.exports = [
  { name: 'supply-chain', title: 'Licences, lock files, install scripts', quick: ['test/supply-chain'], full: ['test/supply-chain'] },
  { name: 'simulation', title: 'Simulated kernel, model checking', quick: ['test/simulation', '--quick'], full: ['test/simulation'] },
  { name: 'faults', title: 'An errno at each system call', quick: ['test/faults', '--quick'], full: ['test/faults'] },
  { name: 'fuzz', title: 'Hostile arguments and requests', quick: ['test/fuzz', '--quick'], full: ['test/fuzz'] },
  { name: 'memory', title: 'Sanitizers, valgrind', quick: ['test/memory', '--quick'], full: ['test/memory'] },
  { name: 'descriptors', title: 'Numbers used again, marked contents', quick: ['test/descriptors', '--quick'], full: ['test/descriptors'] },
  { name: 'workers', title: 'Workers ended in mid-transfer', quick: ['test/workers', '--quick'], full: ['test/workers'] },
  { name: 'load', title: '10,000 connections, half of them stalled', quick: ['test/load', '--quick'], full: ['test/load'] },
  { name: 'races', title: 'Names exchanged below a root', quick: ['test/races', '--minutes', '0.5'], full: ['test/races', '--minutes', '10'] },
  {
    name: 'differential',
    title: 'Random programs, with and without the package',
    quick: [GC, 'test/differential', '--programs', '300', '--seed', '1'],
    full: [GC, 'test/differential', '--programs', '10000']
  },
  { name: 'soak', title: 'Random sessions, each byte compared', quick: [GC, 'test/soak', '--minutes', '1', '--seed', '1'], full: [GC, 'test/soak', '--minutes', '60'] }
]
