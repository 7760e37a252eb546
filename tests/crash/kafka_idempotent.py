"""One idempotent producer that lives through all the kills: its retries must not duplicate or reorder."""

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "crash-kafka"
QUEUED_AT_MOST = 1000


def prepare(environment):
    admin = AdminClient({"bootstrap.servers": environment["KAFKA_ADDRESS"]})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(20)


def drive(environment, acknowledged, stopping):
    """Produces numbers until stopped; the record is how many were sent and which were acknowledged."""
    producer = Producer({
        "bootstrap.servers": environment["KAFKA_ADDRESS"],
        "enable.idempotence": True,
        "message.timeout.ms": 300_000,
        "reconnect.backoff.max.ms": 200,
        "retry.backoff.ms": 50,
        "log_level": 0,
    })
    kept, errors, sent = [], [], 0

    def delivered(error, message):
        if error:
            errors.append(f"{message.value().decode()}: {error}")
        else:
            kept.append((int(message.value()), message.offset()))
            acknowledged.value += 1

    while not stopping.is_set():
        if len(producer) >= QUEUED_AT_MOST:
            producer.poll(0.01)
            continue
        producer.produce(TOPIC, str(sent), on_delivery=delivered)
        sent += 1
        producer.poll(0.0002)
    left = producer.flush(120)
    return {"sent": sent, "kept": kept, "errors": errors, "left": left}


def verify(environment, record):
    """Everything is acknowledged, and the log is exactly what was sent, at the acknowledged offsets."""
    found = _everything(environment["KAFKA_ADDRESS"])
    findings = [f"refused: {error}" for error in record["errors"]]
    if record["left"]:
        findings.append(f"{record['left']} never acknowledged")
    values = [value for value, _ in found]
    if values != list(range(record["sent"])):
        first = next((at for at, value in enumerate(values) if value != at), min(len(values), record["sent"]))
        findings.append(f"sent {record['sent']}, found {len(values)}, differing from {first}: {values[first:first + 5]}")
    if [offset for _, offset in found] != list(range(len(found))):
        findings.append("the offsets are not dense")
    placed = dict(record["kept"])
    moved = [value for value, offset in found if placed.get(value, offset) != offset]
    if moved:
        findings.append(f"{len(moved)} are at another offset than acknowledged, the first {moved[0]}")
    return findings, f"{record['sent']} sent, {len(record['kept'])} acknowledged, {len(found)} found"


def _everything(address):
    reader = Consumer({"bootstrap.servers": address, "group.id": "crash-reader", "enable.auto.commit": False})
    partition = TopicPartition(TOPIC, 0, 0)
    end = reader.get_watermark_offsets(partition, timeout=20)[1]
    reader.assign([partition])
    found, empty = [], 0
    while len(found) < end and empty < 20:
        messages = reader.consume(1000, 1)
        empty = 0 if messages else empty + 1
        found += [(int(message.value()), message.offset()) for message in messages if not message.error()]
    reader.close()
    return found
