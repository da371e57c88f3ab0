"""
Notebook pairs. NN-name.ipynb has the outputs, NN-name.ts (jupytext's percent format) is what reviewers read; both hold the
same cells. Here are their canonical form, which JupyterLab (contents.py) and "npm run reproduce" (execute.py) both write, and
the choice of the file that counts where their cells differ: by content and git, never by modification time.
"""
import hashlib
import json
import re
import subprocess
from pathlib import Path

import jupytext
import nbformat

# Without a header: the .ipynb has the metadata.
FORMAT = {"extension": ".ts", "format_name": "percent", "notebook_metadata_filter": "-all", "cell_metadata_filter": "-all"}
METADATA = {
    "jupytext": {
        "cell_metadata_filter": "-all",
        "formats": "ipynb,ts:percent",
        "notebook_metadata_filter": "-all",
    },
    "kernelspec": {"display_name": "TypeScript", "language": "typescript", "name": "tslab"},
    "language_info": {"file_extension": ".ts", "mimetype": "text/typescript", "name": "typescript"},
}
# Its field of the metadata: a hash of the code that the outputs were made from, put there by an execution with "--save".
MADE_FROM = "memorization"
# Lines of a .ts that begin a cell, and characters at which Python ends a line though TypeScript does not.
MARKER = re.compile(r"\s*//\s*(%%|<codecell>\s*$|In\[[0-9 ]*\]:?\s*$)")
LINE_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
# Blank lines before and after a cell's text.
BLANK_ENDS = re.compile(r"\A([ \t]*\n)+|(\n[ \t]*)+\Z|\A[ \t]+\Z")
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)


class Refused(Exception):
    """One line for the user: what was expected, what came, what to do."""


def cells_of(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def one_line(text):
    return " ".join(str(text).split())[:200]


def merged(outputs):
    """Neighbouring pieces of one stream as one: how a kernel cuts them depends on time. Half characters become "?"."""
    result = []
    for output in json.loads(json.dumps(outputs, ensure_ascii=False).encode("utf-8", "replace")):
        output = nbformat.from_dict(output)
        last = result[-1] if result else {}
        if output.output_type == last.get("output_type") == "stream" and output.name == last.name:
            last.text += output.text
        else:
            result.append(output)
    return result


def canonical(notebook, name):
    """
    The notebook as it is committed: outputs kept; times of execution, ids of sessions, versions of the kernel and Jupyter's own
    marks removed, so that an equal execution gives an equal file.
    """
    kernel = notebook.metadata.get("kernelspec", METADATA["kernelspec"])
    if kernel.get("name") != "tslab" and kernel.get("language") != "typescript":
        raise Refused(f"{name}: expected the kernel TypeScript (tslab); got {kernel.get('name')}; choose it in the menu Kernel")
    cells = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.get("attachments"):
            raise Refused(f"{name}: cell {number} has an image pasted into its text, which the .ts cannot hold; link a file")
        clean = nbformat.NotebookNode(cell_type=cell.cell_type, id=f"cell-{number}", metadata=nbformat.NotebookNode())
        clean.source = BLANK_ENDS.sub("", re.sub("\r\n?", "\n", cell.source))
        if cell.cell_type == "code":
            clean.execution_count = cell.get("execution_count")
            clean.outputs = merged(cell.get("outputs", []))
        cells.append(clean)
    made_from = {key: notebook.metadata[key] for key in [MADE_FROM] if key in notebook.metadata}
    return nbformat.from_dict({"cells": cells, "metadata": {**METADATA, **made_from}, "nbformat": 4, "nbformat_minor": 5})


def percent(notebook, name):
    """The .ts of a canonical notebook. Text that would not come back from it as it is is refused, by cell and line."""
    for number, cell in enumerate(notebook.cells, 1):
        for line in cell.source.split("\n"):
            written = line if cell.cell_type == "code" else f"// {line}"
            where = f'{name}: cell {number}: the line "{one_line(line.encode("utf-8", "replace").decode())}"'
            if MARKER.match(written):
                raise Refused(f"{where} would begin a new cell in the .ts; write it in another way")
            if LINE_ENDS.search(line) or any("\ud800" <= c <= "\udfff" for c in line):
                raise Refused(f"{where} has a character that the .ts cannot hold: {one_line(ascii(line))}; remove it")
    text = re.sub(r"^// -\*- coding: utf-8 -\*-\n", "", jupytext.writes(notebook, FORMAT))
    text = re.sub(r"^[ \t]+(?=// %%$)", "", text, flags=re.MULTILINE)
    back, cells = cells_of(jupytext.reads(text, FORMAT)), cells_of(notebook)
    if back != cells:
        raise Refused(f"{name}: cell {difference(back, cells)} would not come back from the .ts as it is; write it in another way")
    return text


def difference(some, others):
    """Number of the first cell that differs."""
    return next((i for i, (a, b) in enumerate(zip(some, others), 1) if a != b), min(len(some), len(others)) + 1)


def read_ts(content, name):
    """The notebook in a .ts. @param content bytes"""
    try:
        text = re.sub("\r\n?", "\n", content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(f"{name}: expected UTF-8; {error}; write it with that encoding")
    conflict = CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise Refused(f"{name}: a merge conflict begins in line {line}; resolve it, and the .ipynb is made again from the .ts")
    return canonical(jupytext.reads(text, FORMAT), name)


def read_ipynb(content, name):
    """The notebook in an .ipynb, or None where it has a merge conflict. @param content bytes"""
    try:
        text = content.decode("utf-8")
        if CONFLICT.search(text):
            return None
        return canonical(nbformat.reads(text, as_version=4), name)
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Refused(f'{name}: expected a notebook; {one_line(error)}; restore it with "git checkout", or give --from ts')


def git(folder, *args):
    """What git prints, as bytes; None with its reason where it fails."""
    done = subprocess.run(["git", "-C", str(folder), *args], capture_output=True)
    return (done.stdout, "") if done.returncode == 0 else (None, one_line(done.stderr.decode("utf-8", "replace")))


def edited(folder, name, ts, ipynb, saved):
    """
    Which of two files that differ has changed since they last agreed, in git or else when `reproduce` saved cells with the hash
    `saved`: "ts" or "ipynb", or else a reason.
    """
    commits, reason = git(folder, "log", "--max-count=200", "--format=%H", "--", f"{name}.ts", f"{name}.ipynb")
    for commit in (commits or b"").decode().split():
        try:
            old = [git(folder, "show", f"{commit}:./{name}{end}")[0] for end in (".ts", ".ipynb")]
            if None in old:
                continue
            base, other = read_ts(old[0], name), read_ipynb(old[1], name)
        except Refused:
            continue
        if other and cells_of(base) == cells_of(other):
            saved, reason = digest(cells_of(base)), f"both have changed since commit {commit[:7]}"
            break
    else:
        reason = f"git does not tell which was edited ({reason or 'no commit where they agree'})"
    changed = [end for end, now in (("ts", ts), ("ipynb", ipynb)) if digest(cells_of(now)) != saved]
    return (changed[0], "") if len(changed) == 1 else (None, reason)


class Pair:
    """
    The notebook of a pair: cells of the file that counts, with the outputs of the .ipynb where its code is the same.
    `counts` is "ts" or "ipynb" where the two differ or one is missing, else None.
    """

    def __init__(self, folder, name, chosen=None, saved=None):
        folder = Path(folder)
        files = {end: folder / f"{name}.{end}" for end in ("ts", "ipynb")}
        shown = {end: f"{folder.name}/{path.name}" for end, path in files.items()}
        there = [end for end, path in files.items() if path.exists()]
        if chosen and chosen not in there:
            raise Refused(f"{shown[chosen]}: expected it, as --from {chosen} says; found none")
        self.name, self.counts, self.note, self.conflict = name, chosen, None, False
        ts = read_ts(files["ts"].read_bytes(), shown["ts"]) if "ts" in there and chosen != "ipynb" else None
        ipynb = read_ipynb(files["ipynb"].read_bytes(), shown["ipynb"]) if "ipynb" in there and chosen != "ts" else None
        if "ipynb" in there and not ipynb and not chosen:
            if not ts:
                raise Refused(f"{shown['ipynb']}: it has a merge conflict and there is no .ts to make it from; resolve it")
            self.conflict, self.note = True, f"{shown['ipynb']} has a merge conflict: it is made again from the .ts"
        if not (ts and ipynb):
            self.counts = "ts" if ts else "ipynb"
        elif cells_of(ts) != cells_of(ipynb):
            self.counts, reason = edited(folder, name, ts, ipynb, saved)
            if not self.counts:
                cell = difference(cells_of(ts), cells_of(ipynb))
                raise Refused(
                    f"{shown['ts']} and {shown['ipynb']} differ from cell {cell} on, and {reason}; "
                    "say which one counts: --from ts or --from ipynb"
                )
            self.note = f"{shown[self.counts]} was edited: its cells count"
        self.notebook = ipynb if self.counts == "ipynb" else ts
        self.has_outputs = ipynb is not None and code_of(ipynb) == code_of(self.notebook)
        if self.has_outputs:
            for cell, old in zip(code_cells(self.notebook), code_cells(ipynb)):
                cell.execution_count, cell.outputs = old.execution_count, old.outputs
            self.notebook.metadata = ipynb.metadata


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_of(notebook):
    return [cell.source for cell in code_cells(notebook)]


def code_hash(notebook):
    return hashlib.sha256("\0".join(code_of(notebook)).encode()).hexdigest()
