"""Which random numbers each use of a seed draws from.

A random number is a function of (seed, stream, counter). Uses that share a seed take streams of their own, so that no
two of them ever see the same numbers. These values are part of the numerics contract: changing one changes every
network.
"""

# Plus the number of the tensor, counting every weight and bias in order.
INITIALIZER = 0x1000_0000
# Plus the number of the layer.
DROPOUT = 0x2000_0000
# Plus the number of the parameter tensor.
GRADIENT_CHECK = 0x3000_0000

# A split is a shuffle at an epoch that training never reaches.
SPLIT_EPOCH = 2**62
