"""
JupyterLab's files: saving a notebook of this project, also by itself, writes both files of its pair in their canonical form,
so that git shows what was edited and nothing else. Set-up makes it the manager of every JupyterLab of .venv (install.ts).
"""
from pathlib import Path

import jupytext
import nbformat
from tornado.web import HTTPError

from pair import METADATA, Pair, Refused, canonical, percent

FORMATS = METADATA["jupytext"]["formats"]


def is_ours(notebook):
    """Whether a notebook has the project's kernel or is one of its pairs."""
    metadata = notebook.get("metadata", {})
    return metadata.get("kernelspec", {}).get("name") == "tslab" or metadata.get("jupytext", {}).get("formats") == FORMATS


class Refusal(HTTPError):
    """Shown by JupyterLab as it is; of an HTTPError it would show each % twice."""

    log_message = property(HTTPError.get_message)


class PairedContents(jupytext.AsyncTextFileContentsManager):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # The pair's own rule decides (get), and not which file is older.
        self.outdated_text_notebook_margin = float("inf")

    async def get(self, path, content=True, type=None, **kwargs):
        """A pair that differs is opened with the cells that count; where git does not tell which, it is not opened."""
        pair = self.pair_of(path) if content and type in (None, "notebook") else None
        model = await super().get(path, content=content, type=type, **kwargs)
        if pair and pair.note:
            self.log.warning(pair.note)
            model["content"] = pair.notebook
            self.mark_trusted_cells(model["content"], path)
        return model

    def pair_of(self, path):
        file = Path(self._get_os_path(path))
        if file.suffix != ".ipynb" or not file.exists() or '"tslab"' not in file.read_text("utf-8", "replace"):
            return None
        try:
            pair = Pair(file.parent, file.stem)
        except Refused as error:
            raise Refusal(409, str(error))
        if pair.conflict:
            file.write_text(nbformat.writes(pair.notebook) + "\n", encoding="utf-8")
        return pair

    async def save(self, model, path=""):
        """Writes both files, or neither where the text of a cell would not survive; the notebook stays in the browser then."""
        if model["type"] != "notebook" or not is_ours(model.get("content") or {}):
            return await super().save(model, path)
        stem, end = path.strip("/").rsplit(".", 1)
        name = stem.rsplit("/", 1)[-1]
        try:
            notebook = canonical(nbformat.from_dict(model["content"]), name)
            text = percent(notebook, name)
        except Refused as error:
            raise Refusal(400, str(error))
        self.update_paired_notebooks(path.strip("/"), FORMATS)
        ipynb = await self.super.save({"type": "notebook", "content": notebook}, f"{stem}.ipynb")
        ts = await self.super.save({"type": "file", "format": "text", "content": text}, f"{stem}.ts")
        return {**ipynb, "last_modified": ts["last_modified"]} if end == "ipynb" else ts
