// @ts-check
'use strict';
/** Environment variables of child processes. All that npm, uv, Jupyter and TensorFlow keep stays in the project folder. */
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..', '..', '..');
const venv = path.join(root, '.venv');
const cache = (/** @type {string[]} */ ...names) => path.join(root, '.cache', ...names);

/**
 * glibc's allocator as TensorFlow needs it, read when a process starts: a training step frees and takes hundreds of
 * megabytes, and by default glibc gives large blocks back to the system each time, so that every page is faulted in again.
 * Measured on a step of the vanilla model (2 cores): 302 ms by default, 260 ms with blocks kept, 246 ms in huge pages.
 * Other C libraries ignore it.
 */
const allocator = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30),
  MALLOC_TOP_PAD_: String(64 * 2 ** 20),
};

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

/** Whether an NVIDIA driver is here (Linux, or WSL). */
const hasGpu = () =>
  ['/proc/driver/nvidia/version', '/dev/nvidia0', '/usr/lib/wsl/lib/libcuda.so.1'].some((place) =>
    fs.existsSync(place),
  );

/** Room that an empty project grows into, GiB: measured, with a margin; with CUDA's libraries where there is a GPU. */
const ROOM_GIB = { cpu: 3, gpu: 12 };
const roomGiB = () => (hasGpu() ? ROOM_GIB.gpu : ROOM_GIB.cpu);

/** The folder of .venv that holds its packages, or null before there is one. */
function sitePackages() {
  const lib = path.join(venv, 'lib');
  const python = fs.existsSync(lib) ? fs.readdirSync(lib).find((name) => /^python3\.\d+$/.test(name)) : null;
  return python ? path.join(lib, python, 'site-packages') : null;
}

/**
 * Where CUDA's libraries are when they came as Python packages: TensorFlow opens them by name.
 * @param {string | null} packages the folder that holds them
 * @returns {Record<string, string>}
 */
function cuda(packages = sitePackages()) {
  const nvidia = path.join(packages ?? '', 'nvidia');
  if (!fs.existsSync(nvidia)) return {};
  const folders = fs
    .readdirSync(nvidia)
    .map((name) => path.join(nvidia, name, 'lib'))
    .filter((folder) => fs.existsSync(folder));
  const before = (process.env.LD_LIBRARY_PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder && !folders.includes(folder));
  return {
    LD_LIBRARY_PATH: [...folders, ...before].join(path.delimiter),
    XLA_FLAGS: process.env.XLA_FLAGS ?? `--xla_gpu_cuda_data_dir=${path.join(nvidia, 'cuda_nvcc')}`,
  };
}

/**
 * What TensorFlow reads when a process starts or when the library loads, wherever that process was started from.
 * @param {string | null} packages
 * @returns {Record<string, string>}
 */
const engineEnvironment = (packages = sitePackages()) => ({
  CUDA_CACHE_PATH: cache('cuda'),
  TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2',
  ...cuda(packages),
});

/**
 * This process's environment with .venv first on PATH and every cache, configuration and state folder in .cache.
 * @returns {NodeJS.ProcessEnv}
 */
function childEnvironment() {
  /** @type {NodeJS.ProcessEnv} */
  const environment = {
    ...process.env,
    PATH: [path.join(venv, 'bin'), process.env.PATH].filter(Boolean).join(path.delimiter),
    VIRTUAL_ENV: venv,
    PYTHONNOUSERSITE: '1',
    npm_config_cache: cache('npm'),
    npm_config_update_notifier: 'false',
    PIP_CACHE_DIR: cache('pip'),
    PIP_USER: '0',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    UV_CACHE_DIR: cache('uv'),
    UV_PYTHON_DOWNLOADS: 'never',
    JUPYTER_CONFIG_DIR: cache('jupyter', 'config'),
    JUPYTER_DATA_DIR: cache('jupyter', 'data'),
    JUPYTER_RUNTIME_DIR: cache('jupyter', 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: cache('jupyter', 'lab', 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: cache('jupyter', 'lab', 'workspaces'),
    JUPYTER_PREFER_ENV_PATH: '1',
    IPYTHONDIR: cache('jupyter', 'ipython'),
    ...engineEnvironment(),
  };
  for (const name of FOREIGN) delete environment[name];
  return environment;
}

module.exports = {
  root,
  cache,
  allocator,
  hasGpu,
  ROOM_GIB,
  roomGiB,
  sitePackages,
  cuda,
  engineEnvironment,
  childEnvironment,
};
