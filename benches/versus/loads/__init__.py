"""Third-party load clients: each drives any server of its protocol and gives what it measured.

A load's `run(environment, scale)` gives a Measurement; its `command` is what BENCHMARKS.md shows.
"""

from loads import kafka_tools, librdkafka, perftest, sqs

# Each protocol's in the order in which they run: a consuming one after what fills its log.
BY_PROTOCOL = {
    "kafka": kafka_tools.LOADS + librdkafka.LOADS,
    "amqp": perftest.LOADS,
    "sqs": sqs.LOADS,
}
