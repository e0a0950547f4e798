"""Neural networks on CPUs: fast for small and medium networks, and the same bits on every machine.

>>> import fastnn as fn
>>> X, y = fn.data.load_digits()
>>> net = fn.Network([fn.Input(64), fn.Dense(128, "relu"), fn.Dropout(0.1), fn.Dense(10)], seed=0)
>>> trainer = fn.Trainer(net, loss="cross_entropy", optimizer=fn.Adam(1e-3), batch_size=64, seed=0)
>>> history = trainer.fit(X, y, epochs=20, validation_fraction=0.2)
"""

import typing as _typing

import fastnn._runtime.extensions as _extensions  # noqa: F401 (first: it says what to do where they are missing)
from fastnn import callbacks as callbacks
from fastnn import data as data
from fastnn import elementary as elementary
from fastnn import initializers as initializers
from fastnn import losses as losses
from fastnn import metrics as metrics
from fastnn import optimizers as optimizers
from fastnn import schedules as schedules
from fastnn._engine.threads import get_num_threads as get_num_threads
from fastnn._engine.threads import set_num_threads as set_num_threads
from fastnn._runtime.configuration import config as config
from fastnn._runtime.configuration import show_config as show_config
from fastnn._version import __version__ as __version__
from fastnn.callbacks import Callback as Callback
from fastnn.callbacks import Checkpoint as Checkpoint
from fastnn.callbacks import EarlyStopping as EarlyStopping
from fastnn.callbacks import LambdaCallback as LambdaCallback
from fastnn.errors import DivergedError as DivergedError
from fastnn.gradients import GradientCheck as GradientCheck
from fastnn.gradients import gradient_check as gradient_check
from fastnn.history import History as History
from fastnn.layers import Activation as Activation
from fastnn.layers import Dense as Dense
from fastnn.layers import Dropout as Dropout
from fastnn.layers import Input as Input
from fastnn.layers import LayerNorm as LayerNorm
from fastnn.layers import RMSNorm as RMSNorm
from fastnn.losses import BinaryCrossEntropy as BinaryCrossEntropy
from fastnn.losses import CrossEntropy as CrossEntropy
from fastnn.losses import Huber as Huber
from fastnn.losses import LogCosh as LogCosh
from fastnn.losses import MeanAbsoluteError as MeanAbsoluteError
from fastnn.losses import MeanSquaredError as MeanSquaredError
from fastnn.losses import Pinball as Pinball
from fastnn.losses import Poisson as Poisson
from fastnn.network import Network as Network
from fastnn.network import Parameters as Parameters
from fastnn.optimizers import SGD as SGD
from fastnn.optimizers import Adagrad as Adagrad
from fastnn.optimizers import Adam as Adam
from fastnn.optimizers import AdamW as AdamW
from fastnn.optimizers import Lion as Lion
from fastnn.optimizers import NAdam as NAdam
from fastnn.optimizers import RAdam as RAdam
from fastnn.optimizers import RMSprop as RMSprop
from fastnn.schedules import InverseScaling as InverseScaling
from fastnn.schedules import OneCycle as OneCycle
from fastnn.schedules import ReduceOnPlateau as ReduceOnPlateau
from fastnn.schedules import Warmup as Warmup
from fastnn.training import Trainer as Trainer

if _typing.TYPE_CHECKING:
    from fastnn import inspection as inspection
    from fastnn import onnx as onnx
    from fastnn import plot as plot
    from fastnn import records as records
    from fastnn import reproduction as reproduction
    from fastnn import sklearn as sklearn
    from fastnn import tables as tables
    from fastnn import torch as torch
else:  # these load on first use; type checkers go by what stands above, and take no other name
    from fastnn._runtime.lazy import listed as __dir__  # noqa: F401
    from fastnn._runtime.lazy import load as __getattr__  # noqa: F401
