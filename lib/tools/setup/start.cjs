// @ts-check
'use strict';
// Every command starts here: Node's version, set-up where it is needed, then the command itself.
// Plain JavaScript without packages. Up to the version check only syntax and functions that very old Node knows.
var packageJson = require('../../../package.json');

/**
 * One line when this Node is too old, else null.
 * @param {string} version such as "20.11.1"
 * @param {string} range package.json's "engines.node", such as ">=20.10"
 */
function nodeProblem(version, range) {
  var least = range.replace(/[^0-9.]/g, '').split('.');
  var parts = version.split('.');
  for (var i = 0; i < least.length; i++) {
    var have = Number(parts[i]),
      want = Number(least[i]);
    if (have > want) return null;
    if (have < want)
      return (
        'expected Node ' +
        least.join('.') +
        ' or newer; this is Node ' +
        version +
        '; install a newer one and run the same command again'
      );
  }
  return null;
}

var problem = nodeProblem(process.versions.node, packageJson.engines.node);
if (!problem && process.platform !== 'linux')
  problem =
    'expected Linux; this is ' +
    process.platform +
    '; use WSL 2 on Windows, a Linux container or virtual machine elsewhere';
if (problem) {
  console.error(problem);
  process.exit(1);
}
module.exports = { nodeProblem: nodeProblem };
if (require.main === module) require('./run.cjs').run(process.argv[2], process.argv.slice(3));
