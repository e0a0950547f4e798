"""The systems compared, each at its best.

To add one, write a `Peer` and put it into `PEERS`. A system's library is imported when the first of its class is made,
in a process that has the class's ``environment``.
"""

from __future__ import annotations

from benchmarks.peers.fastnn import FastNN
from benchmarks.peers.jax import Jax
from benchmarks.peers.peer import Peer
from benchmarks.peers.pytorch import Torch, TorchCompiled, TorchCompiledOneDNN, TorchOneDNN
from benchmarks.peers.scikit_learn import ScikitLearn
from benchmarks.peers.tensorflow import TensorFlow

PEERS: dict[str, type[Peer]] = {
    "fastnn": FastNN,
    "torch": Torch,
    "torch oneDNN": TorchOneDNN,
    "torch compiled": TorchCompiled,
    "torch compiled oneDNN": TorchCompiledOneDNN,
    "jax": Jax,
    "tensorflow": TensorFlow,
    "scikit-learn": ScikitLearn,
}


def installed() -> dict[str, type[Peer]]:
    """Return the peers that can run here, by name."""
    return {name: peer for name, peer in PEERS.items() if peer.is_installed()}
