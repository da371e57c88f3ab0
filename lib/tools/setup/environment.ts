/** The environment of every child process: all that npm, pip, Jupyter and TensorFlow keep stays inside the project folder. */
import { delimiter, join } from 'node:path';
import { paths } from '../../util/paths';
import { cuda, sitePackages } from './native.cjs';

export { sitePackages };

const cache = (...names: string[]): string => join(paths.cache, ...names);

/** Variables of the user that would bring foreign packages, kernels or extensions into .venv. */
const FOREIGN = [
  'PYTHONHOME',
  'PYTHONPATH',
  'PIP_TARGET',
  'PIP_PREFIX',
  'PIP_REQUIREMENT',
  'JUPYTER_PATH',
  'JUPYTER_CONFIG_PATH',
  'JUPYTERLAB_DIR',
];

/** This process's environment with .venv first on PATH and every cache, configuration and state folder under .cache. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: [join(paths.venv, 'bin'), process.env.PATH].filter(Boolean).join(delimiter),
    VIRTUAL_ENV: paths.venv,
    PYTHONNOUSERSITE: '1',
    npm_config_cache: cache('npm'),
    npm_config_devdir: cache('node-gyp'),
    npm_config_update_notifier: 'false',
    PIP_CACHE_DIR: cache('pip'),
    PIP_USER: '0',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    JUPYTER_CONFIG_DIR: cache('jupyter', 'config'),
    JUPYTER_DATA_DIR: cache('jupyter', 'data'),
    JUPYTER_RUNTIME_DIR: cache('jupyter', 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: cache('jupyter', 'lab', 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: cache('jupyter', 'lab', 'workspaces'),
    JUPYTER_PREFER_ENV_PATH: '1',
    IPYTHONDIR: cache('jupyter', 'ipython'),
    CUDA_CACHE_PATH: cache('cuda'),
    TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2',
    ...cuda(paths.venv),
  };
  for (const name of FOREIGN) delete environment[name];
  return environment;
}
