"""Each protocol fills a small file system in turn: the server runs on, nothing is lost, and consuming frees space."""

import json
import subprocess
import threading
import urllib.request

from checks import STELE, check, equal, eventually
from small_disk import Amqp, FREE_SECONDS, Kafka, RESERVE_MIB, Sqs, bodies, is_there, sends_again, small_disk

# Once everything was removed, while publishing continues.
LITTLE_BYTES = 8 << 20


def fill(front, name):
    """Sends until nothing is accepted any more; returns what was acknowledged."""
    acknowledged = front.send(name, bodies(front))
    front.disk.runs()
    # Consumers must have room for their acknowledgements.
    if front.disk.free_bytes() < RESERVE_MIB * 1_000_000 // 2:
        raise AssertionError(f"{front.disk.free_bytes()} bytes are free of a reserve of {RESERVE_MIB} MiB")
    if len(acknowledged) * front.BODY_BYTES < 20_000_000:
        raise AssertionError(f"only {len(acknowledged)} messages were accepted")
    return acknowledged


def consuming_makes_room(kind):
    with small_disk() as disk:
        front = kind(disk)
        front.make("full")
        for number in range(2):
            acknowledged = fill(front, "full")
            # A consumer may have to define something first.
            front.make(f"another-{number}")
            is_there(front.empty("full"), acknowledged)
            sends_again(front, "full")
            front.empty("full")
        disk.runs()


def deleting_makes_room(kind):
    with small_disk() as disk:
        front = kind(disk)
        front.make("full")
        fill(front, "full")
        front.make("another")
        front.remove("full")
        sends_again(front, "another")

        def few_segments():
            return disk.metric("stele_segments_bytes") <= LITTLE_BYTES

        eventually(few_segments, FREE_SECONDS)


def what_is_full_survives_a_kill(kind):
    with small_disk() as disk:
        front = kind(disk)
        front.make("full")
        acknowledged = fill(front, "full")
        disk.server.kill()
        disk.server.start()
        is_there(front.empty("full"), acknowledged)
        sends_again(front, "full")


def no_room_at_all_is_waited_for(kind):
    """Others use up the remaining space while messages arrive: those wait or are refused, and none is lost."""
    with small_disk() as disk:
        front = kind(disk)
        front.make("full")
        acknowledged = []
        sending = threading.Thread(target=lambda: acknowledged.extend(front.send("full", bodies(front))))
        sending.start()
        while disk.metric("stele_appended_records_total") < 5:
            disk.runs()
        with disk.filled():
            sending.join()
            disk.runs()
        is_there(front.empty("full"), acknowledged)
        sends_again(front, "full")


def logged(disk, level, message):
    """Waits for the line, and returns how often it was logged."""

    def found():
        lines = [json.loads(line) for line in disk.server.log.read_text().splitlines()]
        return [line for line in lines if (line["level"], line["message"]) == (level, message)]

    return len(eventually(found))


def bench(disk, protocol):
    """The output of a benchmark that is refused."""
    address = f"127.0.0.1:{disk.server.ports[protocol]}"
    command = [STELE, "bench", protocol, "--address", address, "--messages", "100", "--size", "64KiB"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    equal(done.returncode, 1)
    return done.stderr


@check
def it_is_told_when_it_begins_and_when_it_ends():
    # With a reserve of twice a journal file, checkpoints need no room beyond it: it begins once.
    with small_disk(STELE_STORAGE__JOURNAL_FILE=f"{RESERVE_MIB // 2}MiB") as disk:
        admin = f"127.0.0.1:{disk.server.ports['admin']}"
        status = [STELE, "status", "--admin", admin]
        front = Amqp(disk)
        front.make("full")
        fill(front, "full")
        full = "the disk is nearly full: publishing is refused until there is room again"
        equal(logged(disk, "WARN", full), 1)
        with urllib.request.urlopen(f"http://{admin}/readyz?verbose", timeout=10) as page:
            assert "[!]space publishing is refused" in page.read().decode()
        told = subprocess.run(status, capture_output=True, text=True, timeout=60).stdout
        assert "refuses publishing" in told, told
        of_kafka = bench(disk, "kafka")
        assert "(Kafka's error 56)" in of_kafka and "KafkaStorageError" not in of_kafka, of_kafka
        assert "the broker blocks publishing: " in bench(disk, "amqp")
        of_sqs = bench(disk, "sqs")
        assert "no space left" in of_sqs and "__type" not in of_sqs, of_sqs
        front.empty("full")
        sends_again(front, "full")
        assert logged(disk, "INFO", "the disk has room again: publishing goes on") >= 1


@check
def amqp_consuming_makes_room():
    consuming_makes_room(Amqp)


@check
def amqp_deleting_makes_room():
    deleting_makes_room(Amqp)


@check
def amqp_survives_a_kill():
    what_is_full_survives_a_kill(Amqp)


@check
def amqp_waits_for_room():
    no_room_at_all_is_waited_for(Amqp)


@check
def kafka_consuming_makes_room():
    consuming_makes_room(Kafka)


@check
def kafka_deleting_makes_room():
    deleting_makes_room(Kafka)


@check
def kafka_survives_a_kill():
    what_is_full_survives_a_kill(Kafka)


@check
def kafka_waits_for_room():
    no_room_at_all_is_waited_for(Kafka)


@check
def sqs_consuming_makes_room():
    consuming_makes_room(Sqs)


@check
def sqs_deleting_makes_room():
    deleting_makes_room(Sqs)


@check
def sqs_survives_a_kill():
    what_is_full_survives_a_kill(Sqs)


@check
def sqs_waits_for_room():
    no_room_at_all_is_waited_for(Sqs)


@check
def all_protocols_fill_it_together():
    with small_disk() as disk:
        fronts = [kind(disk) for kind in (Amqp, Kafka, Sqs)]
        acknowledged = {}
        for front in fronts:
            front.make(type(front).__name__)

        def send(front):
            name = type(front).__name__
            acknowledged[name] = front.send(name, bodies(front))

        sending = [threading.Thread(target=send, args=(front,)) for front in fronts]
        for each in sending:
            each.start()
        for each in sending:
            each.join()
        disk.runs()
        for front in fronts:
            name = type(front).__name__
            is_there(front.empty(name), acknowledged[name])
        for front in fronts:
            sends_again(front, type(front).__name__)

        # A shard checks the disk a few times a second.
        def nothing_is_blocked():
            return disk.metric("stele_blocked") == 0

        eventually(nothing_is_blocked, FREE_SECONDS)
