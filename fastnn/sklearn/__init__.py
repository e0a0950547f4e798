"""Estimators for scikit-learn (the extra ``sklearn``): ``MLPClassifier`` and ``MLPRegressor``.

They take the place of those in `sklearn.neural_network`: the same parameters, fitted attributes, methods, warnings and
errors. What is added are keyword parameters; what differs is said under "Notes" in the classes.

>>> from fastnn.sklearn import MLPClassifier
>>> classifier = MLPClassifier(dropout=0.1, early_stopping=True, random_state=0).fit(X, y)
"""

try:
    import sklearn as _scikit_learn  # noqa: F401
except ImportError as error:
    raise ImportError("fastnn.sklearn needs scikit-learn: pip install scikit-learn") from error

from fastnn._input import modules as _modules
from fastnn.sklearn._classifier import MLPClassifier as MLPClassifier
from fastnn.sklearn._regressor import MLPRegressor as MLPRegressor
from fastnn.sklearn._workers import limit_threads

limit_threads()  # of a worker process, which imports this to unpickle an estimator

_modules.explain(__name__)
