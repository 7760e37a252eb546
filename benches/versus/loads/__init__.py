"""Third-party load clients: each works with any server of its protocol and returns its measurements.

A load's `run(environment, scale)` returns a Measurement; BENCHMARKS.md shows its `command`.
"""

from loads import amqp_client, kafka_tools, librdkafka, perftest, sqs

# Each protocol's loads in the order in which they run: consumers after the producers for them.
BY_PROTOCOL = {
    "kafka": kafka_tools.LOADS + librdkafka.LOADS,
    "amqp": perftest.LOADS + amqp_client.LOADS,
    "sqs": sqs.LOADS,
}
