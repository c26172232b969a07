'use strict'

// Whether the package can be published under a tag: npm run check:release -- v1.2.3

const fs = require('node:fs')
const path = require('node:path')
const { repository, version } = require('../package.json')

const changelog = fs.readFileSync(path.join(__dirname, '..', 'CHANGELOG.md'), 'utf8')

const [tag] = process.argv.slice(2)
const { GITHUB_REPOSITORY: here = '' } = process.env

const mistakes = []
if (tag !== `v${version}`) mistakes.push(`the tag is ${tag}, and package.json has version ${version}`)
if (!changelog.split('\n').some((line) => line.startsWith(`## ${version}`))) {
  mistakes.push(`CHANGELOG.md has no section for ${version}`)
}
if (!repository?.url?.includes(here)) {
  mistakes.push(`package.json does not name ${here || 'its repository'} as repository.url: provenance is checked against it`)
}

for (const mistake of mistakes) console.log(`not ok: ${mistake}`)
if (mistakes.length === 0) console.log(`ok: ${version}`)
process.exitCode = mistakes.length === 0 ? 0 : 1
