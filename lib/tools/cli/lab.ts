/** `npm run lab`: JupyterLab of .venv on loopback, with its token, kernel and plot renderer; nothing of it leaves the machine. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { UserError, wholeNumber } from '../../util/errors';
import { paths } from '../../util/paths';
import { main, parse } from './arguments';
import { childEnvironment } from '../setup/environment.cjs';
import { ended } from '../setup/processes.cjs';
import { VARIABLE } from '../setup/tree.cjs';

const LOOPBACK = '127.0.0.1';

/** Throws a UserError unless `port` is free on loopback: JupyterLab itself would take another one. */
export function requireFreePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const state =
        error.code === 'EADDRINUSE'
          ? 'it is in use'
          : error.code === 'EACCES'
            ? 'it is not yours to use'
            : error.message;
      reject(
        new UserError(
          `port ${port}: expected a free port; ${state}; name another: npm run lab -- --port ${port < 1024 ? 8888 : port === 65535 ? 8888 : port + 1}`,
        ),
      );
    });
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve()));
  });
}

/** Whether a browser can be shown: a desktop is here, and it is this machine's own. */
export const hasDisplay = (platform: string, env: NodeJS.ProcessEnv): boolean =>
  !env.SSH_CONNECTION && (platform === 'darwin' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY));

/** JupyterLab's arguments. Everything that would ask a server outside is off: news, updates, the extension manager. */
export function labArguments(port: number, browser: boolean): string[] {
  return [
    `--ServerApp.ip=${LOOPBACK}`,
    `--ServerApp.port=${port}`,
    '--ServerApp.port_retries=0',
    `--ServerApp.root_dir=${paths.root}`,
    `--FileContentsManager.preferred_dir=${paths.notebooks}`,
    '--MultiKernelManager.default_kernel_name=tslab',
    `--ServerApp.open_browser=${browser ? 'True' : 'False'}`,
    '--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate',
    '--LabApp.news_url=None',
    '--LabApp.extension_manager=readonly',
    ...(process.getuid?.() === 0 ? ['--ServerApp.allow_root=True'] : []),
  ];
}

/** Python's list of browsers, each without the mark of what ends with this command: a browser is the user's, and stays. */
export const browsers = (given = process.env.BROWSER): string =>
  (given ? given.split(':') : ['-u BROWSER python -m webbrowser'])
    .map((program) => `env -u ${VARIABLE} ${program.includes('%s') ? program : `${program} %s`}`)
    .join(':');

if (require.main === module)
  main('lab', async (argv) => {
    const { values } = parse(
      {
        command: 'lab',
        summary: 'Starts JupyterLab on this machine alone and prints its address with the token.',
        options: {
          port: { type: 'string', help: 'port on loopback', default: '8888' },
          'no-browser': { type: 'boolean', help: 'open no browser' },
        },
      },
      argv,
    );
    const port = wholeNumber('--port', values.port, 1, 65535);
    await requireFreePort(port);
    mkdirSync(paths.notebooks, { recursive: true });
    const browser = !values['no-browser'] && hasDisplay(process.platform, process.env);
    const child = spawn(join(paths.venv, 'bin', 'jupyter-lab'), labArguments(port, browser), {
      cwd: paths.root,
      stdio: 'inherit',
      env: { ...childEnvironment(), BROWSER: browsers() },
    });
    process.exit(await ended(child));
  });
