'use strict'

const js = require('@eslint/js')
const stylistic = require('@stylistic/eslint-plugin')
const node = require('eslint-plugin-n')

module.exports = [
  { ignores: ['target/', 'node_modules/'] },
  js.configs.recommended,
  node.configs['flat/recommended-script'],
  stylistic.configs.customize({ semi: false, commaDangle: 'never', braceStyle: '1tbs', quoteProps: 'as-needed' }),
  {
    rules: {
      strict: ['error', 'global'],
      'n/no-unsupported-features/node-builtins': ['error', { ignores: ['diagnostics_channel'] }],
      '@stylistic/operator-linebreak': ['error', 'after', { overrides: { '?': 'before', ':': 'before' } }],
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: ['error', 'always'],
      '@stylistic/space-before-function-paren': ['error', 'always'],
      '@stylistic/arrow-parens': ['error', 'always'],
      '@stylistic/max-statements-per-line': ['error', { max: 3 }],
      '@stylistic/max-len': ['error', { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreUrls: true, ignoreRegExpLiterals: true }],
      'n/no-process-exit': 'off'
    }
  },
  {
    files: ['bench/**', 'lib/cli/**', 'scripts/**'],
    rules: { 'n/no-unsupported-features/node-builtins': ['error', { ignores: ['diagnostics_channel', 'util.parseArgs'] }] }
  },
  {
    files: ['examples/**'],
    rules: { 'n/no-unpublished-require': 'off' } // whoever runs one of a framework has that framework
  },
  {
    files: ['test/**'],
    rules: {
      'n/no-unsupported-features/node-builtins': ['error', {
        ignores: ['diagnostics_channel', 'diagnostics_channel.subscribe', 'diagnostics_channel.unsubscribe', 'fs.cpSync', 'test',
          'test.before', 'util.parseArgs']
      }]
    }
  }
]
