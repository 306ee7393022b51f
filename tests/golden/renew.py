"""What does every experiment resolve to? `make golden` writes the answers anew; git then shows what a change moved."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from unittest import mock

from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.compose import compose

ROOT = Path(__file__).parents[2]
log = logging.getLogger("golden")


def experiments(conf: Path) -> list[str]:
    """The names of all experiments, as one would choose them: `experiment=<name>`."""
    folder = conf / "experiment"
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def resolved(composed: DictConfig) -> str:
    """An experiment's whole config as text, keys in alphabetical order."""
    with mock.patch.dict(os.environ):
        os.environ.pop("CIRCUITVLM_CACHE", None)  # the user's own place is no part of an experiment
        return OmegaConf.to_yaml(composed, resolve=True, sort_keys=True)


def renew(conf: Path, golden: Path) -> list[str]:
    """Write what has changed, delete what has no experiment any more; returns the names that were touched."""
    texts = {name: resolved(compose([f"experiment={name}"], config_dir=conf)) for name in experiments(conf)}
    touched = []
    for path in sorted(golden.rglob("*.yaml")):
        name = path.relative_to(golden).with_suffix("").as_posix()
        if name not in texts:
            path.unlink()
            touched.append(name)
    for name, text in texts.items():
        path = golden / f"{name}.yaml"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            touched.append(name)
    return touched


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    changed = renew(ROOT / "conf", ROOT / "tests" / "golden")
    log.info("%d experiments, changed: %s", len(experiments(ROOT / "conf")), ", ".join(changed) or "none")
