// @ts-check
'use strict';
/**
 * The Jupyter kernel: tslab 1.0.22 in the project root, with what it lacks.
 * - object shorthand for variables of earlier cells; strict type checks as in tsconfig.json, each with its file's name;
 * - `execute_input` messages, from which nbclient takes the execution counts;
 * - no message is read before all sockets are bound, and none is lost while another is being sent;
 * - real `error` messages with name, message and a stack without the kernel's own lines;
 * - an error in a timer or in a promise that nobody awaits fails the cell;
 * - an interrupt that code can ask for (`tick` in display.ts), per cell.
 * Plain JavaScript: tslab has its own TypeScript and must be loaded by Node alone.
 */
const { AsyncLocalStorage } = require('node:async_hooks');
const Module = require('node:module');
const path = require('node:path');
const util = require('node:util');
const { Worker } = require('node:worker_threads');

process.chdir(path.join(__dirname, '..', '..', '..'));

const FOUND = JSON.stringify(path.join(__dirname, 'found.cjs'));

/** Changes to tslab's source, made in memory. Each `find` must be there, or tslab has changed and this file must follow. */
const PATCHES = [
  {
    file: 'jupyter.js',
    find: 'sock.send(heads.concat(bodies));',
    replace: `require(${JSON.stringify(path.join(__dirname, 'in-turn.cjs'))})(sock, heads.concat(bodies));`,
  },
  {
    file: 'jupyter.js',
    // A message that comes while its socket is being bound wakes no reader that waits by then: sockets are bound before any is read.
    find: 'this.hb = new zmq.Reply();',
    replace: `this.hb = new zmq.Reply();
        await Promise.all(
            ["iopub", "shell", "control", "stdin", "hb"].map((name) => this.bindSocket(this[name], cinfo[name + "_port"])));`,
  },
  {
    file: 'jupyter.js',
    find: `await Promise.all([
            this.bindSocket(this.iopub, cinfo.iopub_port),
            this.bindSocket(this.shell, cinfo.shell_port),
            this.bindSocket(this.control, cinfo.control_port),
            this.bindSocket(this.stdin, cinfo.stdin_port),
            this.bindSocket(this.hb, cinfo.hb_port),
        ]);`,
    replace: '',
  },
  {
    file: 'converter.js',
    // `({ z })` with z of an earlier cell compiles, then throws "z is not defined": it must become `({ z: exports.z })`.
    find: 'function wrapPrevIdentifier(node) {',
    replace: `function wrapPrevIdentifier(node) {
      if (ts.isShorthandPropertyAssignment(node) && !node.objectAssignmentInitializer) {
        const symbol = checker.getShorthandAssignmentValueSymbol(ts.getOriginalNode(node));
        if (!symbol?.declarations?.some((declaration) => declaration.getSourceFile() === declsFile)) return node;
        const value = ts.factory.createPropertyAccessExpression(ts.factory.createIdentifier("exports"), ts.factory.createIdentifier(node.name.text));
        return ts.factory.createPropertyAssignment(node.name, value);
      }`,
  },
  {
    file: 'converter.js',
    find: 'esModuleInterop: true,\n        target: transpileTarget,',
    replace: 'esModuleInterop: true,\n        strict: true,\n        target: transpileTarget,',
  },
  {
    file: 'converter.js',
    // An imported file is checked above and needs no declarations: as everywhere, esbuild makes its JavaScript.
    find: 'builder.emit(builder.getSourceFile(dep), (fileName, data) => {',
    replace: `if (dep !== srcFilename && !dep.endsWith(".js")) {
                const name = path_1.default.relative(cwd, dep).replace(/\\.tsx?$/, ".js");
                const data = require(${FOUND}).javascriptOf(builder.getSourceFile(dep).text);
                (sideOutputs ??= []).push({ path: (0, tspath_1.normalizeJoin)(cwd, name), data });
                continue;
            }
            builder.emit(builder.getSourceFile(dep), (fileName, data) => {`,
  },
  {
    file: 'converter.js',
    // Every cell checked all imported files again; now each is once, and again when it or what it imports changes.
    find: 'return ts.getPreEmitDiagnosticsOfFiles(builder.getProgram(), files);',
    replace: `return require(${FOUND}).errorsIn(files, sourceFile, builder, ts.getPreEmitDiagnosticsOfFiles);`,
  },
  {
    file: 'converter.js',
    // A message of several lines became several errors without the file's name.
    find: 'traverseDiagnosticMessageChain(start, end, d.messageText, diagnostics, fileName);',
    replace:
      'diagnostics.push({ start, end, messageText: ts.flattenDiagnosticMessageText(d.messageText, "\\n"), category: d.category, code: d.code, fileName });',
  },
  {
    file: 'converter.js',
    // TypeScript's second timer, which runs when files of the project change while a cell runs, made that cell fail.
    find: 'if (rebuildTimer) {\n            throw new Error("Unexpected pending rebuildTimer");',
    replace: `if (callback.name === "invalidateResolutionsOfFailedLookup") return setTimeout(callback, 250);
        if (rebuildTimer) {
            throw new Error("Unexpected pending rebuildTimer");`,
  },
  {
    file: 'converter.js',
    find: 'throw new Error("clearing unexpected tiemr");',
    replace: 'clearTimeout(timeoutId);',
  },
];

/** @param {string} source @param {string} name of a file of tslab */
function patched(source, name) {
  for (const { file, find, replace } of PATCHES) {
    if (file !== name) continue;
    if (!source.includes(find))
      throw new Error(
        `kernel: tslab's ${file} no longer holds "${find}"; install the pinned tslab (npm ci) or revise ${__filename}`,
      );
    source = source.replace(find, () => replace);
  }
  return source;
}

/** @type {any} */
const ModulePrototype = Module.prototype;
const compile = ModulePrototype._compile;
/** @param {string} source @param {string} file @param {any[]} rest */
ModulePrototype._compile = function (source, file, ...rest) {
  const isTslab =
    path.basename(path.dirname(path.dirname(file))) === 'tslab' &&
    path.basename(path.dirname(file)) === 'dist';
  return compile.call(this, isTslab ? patched(source, path.basename(file)) : source, file, ...rest);
};

/** @type {any} */
const { ZmqServer, JupyterHandlerImpl } = require('tslab/dist/jupyter.js');
const { version: typescriptVersion } = require('@tslab/typescript-for-tslab');

/**
 * What belongs to one run of one cell. Code reads the cell it was started from, however late it runs.
 * @typedef {{ interrupted: boolean, errors: CellError[], send: (type: string, content: object) => void }} Cell
 * @typedef {{ ename: string, evalue: string, traceback: string[] }} CellError
 */
/** @type {AsyncLocalStorage<Cell>} */
const cellOfCode = new AsyncLocalStorage();
/** @type {Cell | undefined} */
let running;
/**
 * First error that reached no `await`; it fails the cell that runs then, or the next one.
 * @type {unknown}
 */
let stray;
/** @type {any} */ (globalThis)[Symbol.for('memorization-notebooks.kernel')] = {
  /** @param {object} content @param {boolean} update */
  display(content, update) {
    const cell = cellOfCode.getStore() ?? running;
    cell?.send(update ? 'update_display_data' : 'display_data', content);
  },
  interrupted: () => cellOfCode.getStore()?.interrupted ?? false,
};
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    if (running) stray ??= error ?? new Error('rejected without a reason');
    else process.stderr.write(`kernel: ${util.inspect(error)}\n`);
  });
}
process.on('SIGINT', () => {
  if (running) running.interrupted = true;
});

/** @param {unknown} error @returns {CellError} */
function describe(error) {
  const isError = util.types.isNativeError(error) || error instanceof Error;
  if (!isError)
    return {
      ename: 'Thrown',
      evalue: util.inspect(error),
      traceback: [red(`Thrown: ${util.inspect(error)}`)],
    };
  const { name, message, code } = /** @type {Error & { code?: string }} */ (error);
  if (
    code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' ||
    /^(Interrupted asynchronously|interrupted by the user)$/.test(message)
  ) {
    // Of the first part of a cell, before its first await, only this error tells of the interrupt.
    if (running) running.interrupted = true;
    return { ename: 'Interrupted', evalue: 'by the user', traceback: [red('Interrupted by the user')] };
  }
  if (name === 'UserError') return { ename: name, evalue: message, traceback: [red(message)] };
  const kernelLine = /^\s+at .*(node_modules[\\/]tslab[\\/]|node:|kernel\.cjs)/;
  // Node puts the place in the compiled cell in front, where line numbers are not the cell's own.
  const text = util
    .inspect(error)
    .replace(/^evalmachine\.<anonymous>:\d+\n[^]*?\n\n/, '')
    .replaceAll('evalmachine.<anonymous>', 'compiled cell');
  const [head = name, ...rest] = text.split('\n').filter((line) => !kernelLine.test(line));
  return { ename: name, evalue: message, traceback: [red(head), ...rest] };
}

/** @param {string} text */
const red = (text) => `\u001b[31m${text}\u001b[0m`;

/**
 * tslab reports a cell's errors and the compiler's diagnostics through `console.error`.
 * @param {any[]} args
 */
function collectError(...args) {
  const [format, file, line, column, text] = args;
  const where = `${file || 'cell '}${line}:${column}`;
  const message = `${where} - ${typeof text === 'string' ? text : util.inspect(text)}`;
  const error =
    format === '%s%d:%d - %s'
      ? { ename: 'TypeScriptError', evalue: message, traceback: [red(`TypeScript ${message}`)] }
      : describe(args[0]);
  running?.errors.push(error);
}

// What is replaced below is private to tslab's classes.
/** @type {any} */
const server = ZmqServer.prototype;
/** @type {any} */
const handler = JupyterHandlerImpl.prototype;

const executeMessage = server.handleExecute;
/**
 * @this {any}
 * @param {any} socket
 * @param {any} message
 */
server.handleExecute = function (socket, message) {
  /** @type {Cell['send']} */
  const send = (type, content) => {
    const out = message.createReply();
    out.header.msg_type = type;
    out.content = content;
    out.signAndSend(this.connInfo.key, this.iopub);
  };
  message.content.cell = { interrupted: false, errors: [], send };
  return executeMessage.call(this, socket, message);
};

/** Whether a cell has imported the project's code, which is compiled then and loads TensorFlow. */
let loaded = false;

const runCell = handler.handleExecuteImpl;
/**
 * @this {any}
 * @param {any} request
 * @param {any} writeStream
 * @param {any} writeDisplay
 */
handler.handleExecuteImpl = async function (request, writeStream, writeDisplay) {
  /** @type {Cell} */
  const cell = request.cell;
  running = cell;
  const send = cell.send;
  send('execute_input', { code: request.code, execution_count: this.execCount + 1 });
  let waits = !loaded && request.code.includes("'./lib/");
  const noLongerWaits = () => {
    if (waits) send('clear_output', { wait: false });
    waits = false;
  };
  if (waits) {
    loaded = true;
    const data = {
      'text/plain': 'Compiling the code and loading TensorFlow: the first cell takes some seconds.',
    };
    send('display_data', { data, metadata: {}, transient: {} });
  }
  cell.send = (type, content) => {
    noLongerWaits();
    send(type, content);
  };
  const write = (/** @type {string} */ name, /** @type {string} */ text) => {
    // Node writes the empty complaints of esbuild's processes.
    if (!text) return;
    noLongerWaits();
    writeStream(name, text);
  };
  try {
    const count = await cellOfCode.run(cell, () => runCell.call(this, request, write, writeDisplay));
    noLongerWaits();
    if (stray === undefined) return count;
    cell.errors.push(describe(stray));
    stray = undefined;
    throw count;
  } finally {
    if (cell.errors.length) {
      const [first] = cell.errors;
      request.error = {
        ename: first?.ename,
        evalue: cell.errors.map((e) => e.evalue).join('\n'),
        traceback: cell.errors.flatMap((e) => e.traceback),
      };
      cell.send('error', request.error);
    }
  }
};

const handleExecute = handler.handleExecute;
/**
 * @this {any}
 * @param {any} request
 * @param {any[]} rest
 */
handler.handleExecute = async function (request, ...rest) {
  const reply = await handleExecute.call(this, request, ...rest);
  if (reply.status === 'error')
    Object.assign(reply, request.error ?? { ename: 'Error', evalue: '', traceback: [] });
  if (request.stop_on_error === false) this.execQueue.reset();
  if (reply.status === 'abort') reply.status = 'aborted';
  return reply;
};

const kernelInfo = handler.handleKernel;
/** @this {any} */
handler.handleKernel = function () {
  const info = kernelInfo.call(this);
  return { ...info, language_info: { ...info.language_info, version: typescriptVersion } };
};

/** Ends with the program that started it, even if that was killed: a thread of its own looks, for a cell may never come to an end. */
function endWithParent() {
  const look = `const parent = process.ppid;
    setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), 500);`;
  new Worker(look, { eval: true }).unref();
}

const realError = console.error;
console.error = collectError;
endWithParent();
require('tslab/dist/main.js').startKernel({ configPath: process.argv[2], enableFindLocal: false });
console.error = realError;
