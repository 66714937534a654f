"""What a coroutine returns that waits for nothing."""

from twisted.internet.defer import Deferred


def result_of(coroutine):
    """Run a coroutine that waits for nothing."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result
