'use strict'

// node test/supply-chain [--quick] [--write]
//
// What the project is made of: both lock files agree with what they lock, every package and crate is of its registry,
// has a checksum and a licence that is allowed, nothing runs when the package is installed, and docs/dependencies.md
// says why each dependency is there. `--write` brings the lists there up to date. Without `--quick` also `npm ci` in a
// fresh clone, which builds, and what the registries know of vulnerabilities and signatures, if they answer.

const fs = require('node:fs')
const path = require('node:path')
const { tellProof } = require('../helpers/proof')
const { advisories, cratesOfAddon, deny, denySeesMistakes, metadata, strangers } = require('./cargo')
const { disagreements, written } = require('./documented')
const { INSTALL_SCRIPTS, packagesOf, rules, runtimePackages } = require('./lock')
const { mistakes } = require('./mistakes')
const { freshClone, refusal, signatures, vulnerabilities } = require('./npm')

const root = path.join(__dirname, '..', '..')
const DOCUMENT = path.join(root, 'docs', 'dependencies.md')

const sums = { cases: 0, faults: 0, bytes: 0, findings: 0 }
const notes = []

function readJson (name) {
  return JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'))
}

/** One check: its violations are findings. */
function check (title, violations) {
  sums.cases++
  sums.findings += violations.length
  console.log(`${title}: ${violations.length === 0 ? 'none' : violations.length}`)
  for (const violation of violations) console.log(`FINDING: ${title}: ${violation}`)
}

/** A mistake that was put in, and has to be found. */
function mistake (title, isFound) {
  if (isFound) sums.faults++
  else check('a mistake that is not found', [title])
}

/** A check that needs something that may not be there. */
function ask (title, { missing, failure }, reason) {
  if (missing) notes.push(`${title}: left out: ${reason}`)
  else check(title, failure === null ? [] : [failure])
}

function checkLock (project) {
  for (const [title, rule] of Object.entries(rules)) {
    check(title, rule(project))
    const broken = structuredClone(project)
    mistakes[title](broken)
    mistake(title, rule(broken).length > 0)
  }
}

/** The same of what is installed, whose own word counts. */
function checkInstalled ({ lock }) {
  const scripts = []
  for (const { name } of runtimePackages(lock)) {
    const manifest = readJson(`node_modules/${name}/package.json`)
    scripts.push(...INSTALL_SCRIPTS.filter((script) => manifest.scripts?.[script]).map((script) => `${name}: ${script}`))
    if (fs.existsSync(path.join(root, 'node_modules', name, 'binding.gyp'))) scripts.push(`${name}: binding.gyp`)
  }
  check('an installed package that runs a script', scripts)
}

function checkNpm ({ manifest, lock }) {
  const refused = refusal(manifest, lock)
  check('npm ci refuses the lock file', refused === null ? [] : [refused])
  const broken = structuredClone(lock)
  delete broken.packages['node_modules/ms']
  mistake('a lock file without a package', refusal(manifest, broken) !== null)
}

function checkCrates () {
  let resolved
  try {
    resolved = metadata()
  } catch (err) {
    check('Cargo.lock does not agree', [err.message])
    return { direct: [], crates: [] }
  }
  check('Cargo.lock does not agree', [])
  check('a crate that is not of the registry, or has no checksum', strangers(resolved))
  const denied = deny(['bans', 'licenses', 'sources'])
  ask('what cargo-deny refuses', denied, 'cargo-deny is missing: cargo install --locked cargo-deny')
  if (!denied.missing) mistake('a licence that cargo-deny should refuse', denySeesMistakes())
  return cratesOfAddon(resolved)
}

function checkDocument ({ manifest, lock }, { direct, crates }, isWriting) {
  const text = fs.readFileSync(DOCUMENT, 'utf8')
  const npm = Object.keys(manifest.dependencies)
  check('a package without its reason', disagreements(text, 'Packages', npm))
  mistake('a package without its reason', disagreements(text, 'Packages', [...npm, 'another']).length > 0)
  mistake('a reason without its package', disagreements(text, 'Packages', npm.slice(1)).length > 0)
  check('a crate without its reason', disagreements(text, 'Crates', direct))
  const lists = { packages: runtimePackages(lock), crates }
  const right = written(text, lists)
  if (isWriting) fs.writeFileSync(DOCUMENT, right)
  check('a list in docs/dependencies.md that is old', isWriting || right === text ? [] : ['node test/supply-chain --write'])
  mistake('an old list', written(text, { ...lists, crates: crates.slice(1) }) !== right)
}

function main () {
  const args = process.argv.slice(2)
  if (!args.every((arg) => ['--quick', '--write'].includes(arg))) {
    console.error('usage: node test/supply-chain [--quick] [--write]')
    process.exit(2)
  }
  const [isQuick, isWriting] = ['--quick', '--write'].map((name) => args.includes(name))
  const project = { manifest: readJson('package.json'), lock: readJson('package-lock.json') }
  console.log(`supply chain: ${packagesOf(project.lock).length} packages, ${runtimePackages(project.lock).length} of them at run time`)
  checkLock(project)
  checkInstalled(project)
  checkNpm(project)
  const crates = checkCrates()
  console.log(`${crates.crates.length} crates make the addon`)
  checkDocument(project, crates, isWriting)
  if (isQuick) {
    notes.push('quick: without npm ci in a fresh clone, and without asking the registries for advisories and signatures')
  } else {
    const failure = freshClone()
    check('npm ci fails in a fresh clone', failure === null ? [] : [failure])
    ask('signatures of the npm registry', signatures(), 'the registry gives none here')
    ask('vulnerabilities that the npm registry knows', vulnerabilities(), 'the registry does not tell here')
    ask('advisories of RustSec', advisories(), 'their database cannot be had here')
  }
  tellProof({ ...sums, notes })
}

main()
