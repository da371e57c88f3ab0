import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { paths } from '../../../lib/util/paths';
import { assertOneLine, refusal } from '../../refusal';
import { browsers, hasDisplay, labArguments, requireFreePort } from '../../../lib/tools/cli/lab';
import { VARIABLE } from '../../../lib/tools/setup/tree.cjs';

const listen = () =>
  new Promise<{ port: number; close: () => Promise<void> }>((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () => new Promise((done) => server.close(() => done())),
      }),
    );
  });

test('a port in use is one line and exit code 1; a free one is accepted', async () => {
  const { port, close } = await listen();
  await assert.rejects(requireFreePort(port), refusal(`port ${port}`));
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '--import',
      pathToFileURL(require.resolve('tsx')).href,
      join(paths.root, 'lib', 'tools', 'cli', 'lab.ts'),
      '--port',
      String(port),
    ],
    { cwd: paths.root, encoding: 'utf8' },
  );
  assert.equal(status, 1);
  assertOneLine(stderr, 'lab', `port ${port}`);
  await close();
  await requireFreePort(port);
});

test('a browser is opened only where one can be seen', () => {
  assert.equal(hasDisplay('linux', {}), false);
  assert.equal(hasDisplay('linux', { DISPLAY: ':0' }), true);
  assert.equal(hasDisplay('darwin', {}), true);
  assert.equal(hasDisplay('linux', { DISPLAY: ':10', SSH_CONNECTION: 'a b' }), false);
});

test('the browser does not end with JupyterLab: it is started without the mark of what does', () => {
  const open = (given: string | undefined, url: string) =>
    spawnSync('python3', ['-c', `import webbrowser, sys; webbrowser.get().open(${JSON.stringify(url)})`], {
      env: { ...process.env, [VARIABLE]: 'mark', BROWSER: browsers(given) },
      encoding: 'utf8',
    }).stdout.trim();
  const says = `sh -c 'echo "$0 has no mark" $${VARIABLE}'`;
  assert.equal(open(`${says} %s`, 'http://one'), 'http://one has no mark');
  assert.equal(open(says, 'http://one'), 'http://one has no mark');
  assert.match(browsers(''), new RegExp(`^env -u ${VARIABLE} -u BROWSER python -m webbrowser %s$`));
});

test('JupyterLab listens on loopback alone, on the port that was asked for, and asks nobody for news', () => {
  const args = labArguments(9000, false);
  for (const wanted of [
    '--ServerApp.ip=127.0.0.1',
    '--ServerApp.port=9000',
    '--ServerApp.port_retries=0',
    '--ServerApp.open_browser=False',
    '--LabApp.news_url=None',
    '--LabApp.extension_manager=readonly',
  ])
    assert.ok(args.includes(wanted), wanted);
  assert.ok(!args.some((arg) => /token|password/i.test(arg)), 'the token stays on');
});
