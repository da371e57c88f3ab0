// @ts-check
'use strict';
/** Reporter of `npm test`: Node's own, then a line for every skipped test with its reason. */
const { Readable } = require('node:stream');
const { spec: Spec } = require('node:test/reporters');

/** @param {AsyncIterable<any>} events */
module.exports = async function* (events) {
  /** @type {string[]} */
  const skipped = [];
  async function* watched() {
    for await (const event of events) {
      const { name, skip } = event.data ?? {};
      if (event.type === 'test:pass' && skip !== undefined)
        skipped.push(`skipped: ${name} (${skip === true ? 'no reason given' : skip})\n`);
      yield event;
    }
  }
  yield* Readable.from(watched()).pipe(new Spec());
  yield skipped.join('');
};
