"""Tables of numbers, categories and missing cells, from their columns to a network's predictions.

>>> from fastnn import tables
>>> preprocessor = tables.Preprocessor().fit({"age": [31, 47, None], "town": ["Bonn", "Kiel", "Kiel"]})
>>> X = preprocessor.transform({"age": [40], "town": ["Bonn"]})
"""

from fastnn._input import modules as _modules
from fastnn.tables.cells import CellError as CellError
from fastnn.tables.dates import Date as Date
from fastnn.tables.encoders import Boolean as Boolean
from fastnn.tables.encoders import Categorical as Categorical
from fastnn.tables.encoders import Numeric as Numeric
from fastnn.tables.encoders import Unused as Unused
from fastnn.tables.model import TableModel as TableModel
from fastnn.tables.number_formats import NumberFormat as NumberFormat
from fastnn.tables.preprocessor import Preprocessor as Preprocessor
from fastnn.tables.targets import Classes as Classes
from fastnn.tables.targets import Quantity as Quantity

_modules.explain(__name__)
