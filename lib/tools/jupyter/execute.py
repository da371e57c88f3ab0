"""
Plans and executes notebooks for "npm run reproduce". `execute.py JOB`, a file with JSON; the answer is written next to it, into
answer.json: the results, or for a notebook that cannot be executed one line why.
"""
import hashlib
import json
import sys
from pathlib import Path

import nbformat

from pair import MADE_FROM, Pair, Refused, canonical, cells_of, code_cells, code_hash, digest, git, percent, read_ipynb


def outputs_of(notebook):
    return digest([[cell.source, cell.execution_count, cell.outputs] for cell in code_cells(notebook)])


def text_of(notebook):
    return digest([cell.source for cell in notebook.cells if cell.cell_type != "code"])


def inputs_of(paths):
    """Hash of all files that code in cells reads."""
    files = sorted(file for path in map(Path, paths) for file in ([path] if path.is_file() else path.rglob("*")))
    return digest([[str(file), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files if file.is_file()])


def stamp_of(job, name):
    """The file that says what was saved last: a hash of the cells and of all that the outputs were made from."""
    return Path(job["stamps"]) / f"{name}.json"


def pair_of(job, name):
    """The pair, and what was saved last."""
    try:
        saved = json.loads(stamp_of(job, name).read_text())
    except (OSError, ValueError):
        saved = {}
    return Pair(job["notebooks"], name, job["from"], saved.get("cells")), saved


def only_text_changed(pair, saved, job):
    """
    Whether the outputs are still those of this code and of the files that it reads, and only Markdown has changed since they
    were made: since the last "--save" here, or since HEAD.
    """
    notebook = pair.notebook
    said = json.dumps([cell.outputs for cell in code_cells(notebook)])
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if not pair.has_outputs or counts != list(range(1, len(counts) + 1)):
        return False
    if f"Tier {job['tier']}, seed {job['seed']}." not in said:
        return False
    outputs, text = outputs_of(notebook), text_of(notebook)
    if saved.get("outputs") == outputs and saved["text"] != text and saved["inputs"] == inputs_of(job["inputs"]):
        return True
    committed, _ = git(job["notebooks"], "show", f"HEAD:./{pair.name}.ipynb")
    head = read_ipynb(committed, pair.name) if committed else None
    if not head or outputs_of(head) != outputs or text_of(head) == text:
        return False
    return git(job["notebooks"], "status", "--porcelain", "--", *job["inputs"])[0] == b""


def plan(job):
    """For each notebook which file counts and whether it must be executed; all of it before the first one is."""
    answers = []
    for name in job["names"]:
        try:
            pair, saved = pair_of(job, name)
            percent(pair.notebook, name)
            keep = job["save"] and not job["execute"] and only_text_changed(pair, saved, job)
            answers.append({"name": name, "counts": pair.counts, "note": pair.note, "keep": keep})
        except Refused as error:
            answers.append({"name": name, "error": str(error)})
    return answers


def failure(notebook):
    """The cell that failed, and what it printed."""
    cell = next(cell for cell in code_cells(notebook) if any(o.output_type == "error" for o in cell.outputs))
    texts = [o.text if o.output_type == "stream" else "\n".join(o.get("traceback", [])) for o in cell.outputs]
    return {"cell": cell.source, "output": "\n".join(text.strip("\n") for text in texts if text)}


def run(job):
    """Executes a notebook, unless its outputs are kept, and writes it, its .ts and its report into the job's folder."""
    # They take a second to load, which a plan does not need.
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbconvert.exporters import HTMLExporter

    folder, name = Path(job["folder"]), job["name"]
    pair, saved = pair_of(job, name)
    notebook = pair.notebook
    # Before the execution: a file that changes meanwhile is one that the outputs were not made from.
    inputs = inputs_of(job["inputs"])
    keep = job["keep"] and only_text_changed(pair, saved, job)
    if not keep:
        for cell in code_cells(notebook):
            cell.outputs, cell.execution_count = [], None
        options = {"timeout": None, "startup_timeout": 300, "record_timing": False, "kernel_name": "tslab"}
        end = "the kernel died before its first cell"

        class Client(NotebookClient):
            async def async_execute_cell(self, cell, cell_index, **more):
                nonlocal end
                try:
                    return await super().async_execute_cell(cell, cell_index, **more)
                except DeadKernelError:
                    code = await self.km.provisioner.poll()
                    why = f"signal {-code}" if code and code < 0 else f"exit code {code}"
                    number = len([one for one in notebook.cells[: cell_index + 1] if one.cell_type == "code"])
                    end = f"the kernel died ({why}) in cell {number}"
                    raise

        try:
            Client(notebook, resources={"metadata": {"path": job["root"]}}, **options).execute()
        except CellExecutionError:
            return failure(notebook)
        except (DeadKernelError, RuntimeError) as error:
            if "Kernel died" not in str(error):
                raise
            reason = "perhaps memory: run it with --tier smoke to see whether it works at all"
            return {"error": f"{name}: {end}; {reason}"}
    executed = canonical(notebook, name)
    if not keep:
        executed.metadata[MADE_FROM] = {"code": code_hash(executed)}
    (folder / f"{name}.ipynb").write_text(nbformat.writes(executed) + "\n", encoding="utf-8")
    (folder / f"{name}.ts").write_text(percent(executed, name), encoding="utf-8")
    html, _ = HTMLExporter(template_name="report").from_notebook_node(executed, {"metadata": {"name": name}})
    (folder / f"{name}.html").write_text(html, encoding="utf-8")
    if job["save"]:
        stamp = stamp_of(job, name)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        # Of outputs that were kept it is known what they were made from only if this was known before.
        made = saved if keep else {"inputs": inputs, "outputs": outputs_of(executed)}
        stamp.write_text(json.dumps({**made, "cells": digest(cells_of(executed)), "text": text_of(executed)}))
    return {}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    job = json.loads(file.read_text(encoding="utf-8"))
    try:
        answer = plan(job) if "names" in job else run(job)
    except Refused as error:
        answer = {"error": str(error)}
    file.with_name("answer.json").write_text(json.dumps(answer), encoding="utf-8")
