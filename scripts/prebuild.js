'use strict'

// Builds the addon for every target that the package ships, on one Linux machine, into prebuilds/: npm run prebuild.
// Needs rustup with these targets (rustup target add), zig (pip install -r scripts/requirements.txt) and objdump. A
// table says what was made, and what could not be; then the exit code is 1.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const out = path.join(root, 'prebuilds')
const targetFolder = path.join(root, 'target', 'prebuild')

/** The oldest glibc that the addons run with: Debian 10, RHEL 8, Ubuntu 18.10. */
const GLIBC = '2.28'
const MOST_BYTES = 700_000

/** musl's addons are loaded by a musl that is there already. */
const DYNAMIC_MUSL = '-C target-feature=-crt-static'

const targets = [
  { name: 'linux-x64-gnu', rust: 'x86_64-unknown-linux-gnu', zig: `x86_64-unknown-linux-gnu.${GLIBC}` },
  { name: 'linux-arm64-gnu', rust: 'aarch64-unknown-linux-gnu', zig: `aarch64-unknown-linux-gnu.${GLIBC}` },
  { name: 'linux-x64-musl', rust: 'x86_64-unknown-linux-musl', flags: DYNAMIC_MUSL },
  { name: 'linux-arm64-musl', rust: 'aarch64-unknown-linux-musl', flags: DYNAMIC_MUSL }
]

function build ({ name, rust, zig = rust, flags = '' }) {
  const args = ['zigbuild', '--release', '--locked', '--lib', '--target', zig, '--target-dir', targetFolder]
  const RUSTFLAGS = [process.env.RUSTFLAGS, flags].filter(Boolean).join(' ')
  const { status, error } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env: { ...process.env, RUSTFLAGS } })
  if (error || status !== 0) throw new Error(`cargo zigbuild ended with ${error?.message ?? status}`)
  const file = path.join(out, `sendfile-native.${name}.node`)
  fs.copyFileSync(path.join(targetFolder, rust, 'release', 'libsendfile_native.so'), file)
  return check(file, name.endsWith('gnu'))
}

/** What the addon needs of its system, and how large it is. */
function check (file, isGlibc) {
  const { size } = fs.statSync(file)
  if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, more than ${MOST_BYTES}`)
  const { stdout, error } = spawnSync('objdump', ['-T', '-p', file], { encoding: 'utf8' })
  if (error) throw new Error(`objdump: ${error.message}`)
  const versions = [...stdout.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [Number(major), Number(minor)])
  const newest = versions.sort(([a, b], [c, d]) => a - c || b - d).pop()
  if (!isGlibc && newest) throw new Error('it needs glibc')
  const needed = [...stdout.matchAll(/^\s*NEEDED\s+(\S+)$/gm)].map(([, library]) => library)
  const [major, minor] = GLIBC.split('.').map(Number)
  if (newest && (newest[0] > major || (newest[0] === major && newest[1] > minor))) {
    throw new Error(`it needs glibc ${newest.join('.')}, more than ${GLIBC}`)
  }
  return { size, glibc: newest?.join('.') ?? '', needed }
}

fs.mkdirSync(out, { recursive: true })
const lines = targets.map((target) => {
  try {
    const { size, glibc, needed } = build(target)
    return `| ${target.name} | ${Math.round(size / 1024)} KiB | ${glibc} | ${needed.join(', ')} |`
  } catch (err) {
    process.exitCode = 1
    return `| ${target.name} | could not be made: ${err.message} | | |`
  }
})
console.log(['', '| prebuilt addon | size | needs glibc | needs |', '| --- | ---: | ---: | --- |', ...lines].join('\n'))
