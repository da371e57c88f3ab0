/** Installs the kernel, the JupyterLab renderer, the manager of notebook files and the report template into .venv, where its Jupyter programs find them. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { allocator, engineEnvironment, sitePackages } from '../setup/environment.cjs';
import { UserError } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';

const sources = join(paths.root, 'lib', 'tools', 'jupyter');

/** Copies unless the target is at least as new and as long. Trap: JupyterLab's server refuses symbolic links (HTTP 403). */
function copy(from: string, to: string): void {
  if (
    existsSync(to) &&
    statSync(to).size === statSync(from).size &&
    statSync(to).mtimeMs >= statSync(from).mtimeMs
  )
    return;
  mkdirSync(dirname(to), { recursive: true });
  const aside = `${to}.${process.pid}.part`;
  copyFileSync(from, aside);
  renameSync(aside, to);
}

function write(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeAtomically(path, text);
}

/**
 * The kernel is named tslab, as in notebooks written elsewhere; people see it as "TypeScript". It brings all of its environment,
 * for programs that start it without that of `npm run lab`, such as VS Code.
 * @param packages folder of the Python packages, among them CUDA's
 */
export function kernelSpec(packages = sitePackages()): string {
  const argv = [process.execPath, join(sources, 'kernel.cjs'), '{connection_file}'];
  const env = { ...allocator, ...engineEnvironment(packages) };
  const names = { display_name: 'TypeScript', language: 'typescript', interrupt_mode: 'signal' };
  return `${JSON.stringify({ argv, env, ...names }, null, 2)}\n`;
}

/** Every JupyterLab of .venv saves notebooks as contents.py does. */
const serverConfig = `import sys
sys.path.append(${JSON.stringify(sources)})
from contents import PairedContents
c.ServerApp.contents_manager_class = PairedContents
`;

/** @param venv folder of the Python environment. Does nothing if all is in place. */
export function installJupyterFiles(venv: string): void {
  if (!existsSync(paths.plotly))
    throw new UserError(`expected ${paths.plotly}, which set-up makes; found none; run "npm run doctor"`);
  const share = join(venv, 'share', 'jupyter');
  const labextension = join(share, 'labextensions', 'memorization-plotly');
  const template = join(share, 'nbconvert', 'templates', 'report');
  write(join(share, 'kernels', 'tslab', 'kernel.json'), kernelSpec());
  write(join(venv, 'etc', 'jupyter', 'jupyter_server_config.py'), serverConfig);
  for (const file of ['package.json', 'static/remoteEntry.js'])
    copy(join(sources, 'labextension', file), join(labextension, file));
  for (const file of ['conf.json', 'index.html.j2', 'report.css', 'report.js'])
    copy(join(sources, 'template', file), join(template, file));
  copy(paths.plotly, join(labextension, 'static', 'plotly.min.js'));
  copy(paths.plotly, join(template, 'plotly.min.js'));
  copy(require.resolve('mathjax/es5/tex-svg.js'), join(template, 'tex-svg.js'));
}
