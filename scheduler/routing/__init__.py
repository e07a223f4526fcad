"""Where a step may run and why not: filters with reason constants, then scores in [0, 1], then a choice.

Pure, like `scheduler.domain`. The explanation is part of the result: a "no" without a reason cannot be made.
"""
