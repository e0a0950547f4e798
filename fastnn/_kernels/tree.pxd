# The fixed binary tree that joins the shards of a batch.
#
# n shards are split at the largest power of two below n, and each part in turn.  Shards arrive in order; like the bits
# of a binary counter, level l of a stack holds the sum of 2^l neighbouring shards.  Shard s first takes in the levels
# below it that are complete, or, as the last shard, every level that is left:
#
#     level = 0
#     while join_level(s, n, &level):
#         sum = stack[level] + sum
#         level += 1
#     the result is sum if s is the last shard, else stack[level] = sum


cdef inline bint join_level(ssize_t s, ssize_t n, ssize_t* level) noexcept nogil:
    """Move level on to the next one that shard s of n takes in; return false where there is none."""
    if s == n - 1:
        while (s >> level[0]) != 0 and not (s >> level[0]) & 1:
            level[0] += 1
    return (s >> level[0]) & 1
