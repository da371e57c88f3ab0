"""The same training step in PyTorch, as a process of the benchmark: reads a command a line, answers each with a line of JSON.

    python peer.py SHAPE_JSON fp32|bf16 eager|compiled

SHAPE_JSON: {"model": {"kind", "layers", "width", "heads", "vocabulary", "dropout", ...}, "lines", "tokens", "weightDecay"}.
Needs torch (tried with 2.13). bf16 is torch's own mixed precision: autocast over float32 weights.
"""

import contextlib
import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads, feed_forward, pre_norm, dropout):
        super().__init__()
        self.heads, self.pre_norm, self.dropout = heads, pre_norm, dropout
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)

    def attend(self, x):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout, is_causal=True)
        return F.dropout(self.out(seen.transpose(1, 2).flatten(2)), self.dropout)

    def feed(self, x):
        if self.pre_norm:
            x = F.gelu(self.up(x), approximate="tanh")
        else:
            x = F.dropout(F.relu(self.up(x)), self.dropout)
        return F.dropout(self.down(x), self.dropout)

    def forward(self, x):
        if self.pre_norm:
            x = x + self.attend(self.norms[0](x))
            return x + self.feed(self.norms[1](x))
        x = self.norms[0](x + self.attend(x))
        return self.norms[1](x + self.feed(x))


class Model(nn.Module):
    def __init__(self, model, tokens):
        super().__init__()
        gpt2, width = model["kind"] == "gpt2", model["width"]
        self.scale = 1.0 if gpt2 else math.sqrt(width)
        self.words = nn.Embedding(model["vocabulary"], width)
        if gpt2:
            self.places = nn.Parameter(torch.zeros(tokens, width))
        else:
            angle = torch.arange(tokens)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
            self.register_buffer("places", torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1))
        feed_forward = model.get("feedForward", 4 * width)
        self.dropout = model["dropout"]
        self.blocks = nn.ModuleList(
            Block(width, model["heads"], feed_forward, gpt2, self.dropout) for _ in range(model["layers"])
        )
        self.last = nn.LayerNorm(width) if gpt2 else nn.Identity()
        self.head = nn.Linear(width, model["vocabulary"], bias=not gpt2)
        if gpt2:
            self.head.weight = self.words.weight
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        x = F.dropout(self.words(ids) * self.scale + self.places, self.dropout)
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.last(x)).flatten(0, 1).float(), targets.flatten())


def main():
    shape, precision, mode = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    torch.manual_seed(1)
    model = Model(shape["model"], shape["tokens"])
    forward = torch.compile(model) if mode == "compiled" else model
    decay = shape["weightDecay"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=decay, fused=True)
    size = (shape["lines"], shape["tokens"])
    ids, targets = (torch.randint(0, shape["model"]["vocabulary"], size) for _ in range(2))

    def train():
        mixed = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
        with mixed:
            loss = forward(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        seconds, loss = [], math.nan
        for _ in range(int(line.split()[1])):
            started = time.perf_counter()
            loss = train()
            seconds.append(time.perf_counter() - started)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "lossNats": loss, "peakBytes": peak}), flush=True)


if __name__ == "__main__":
    main()
