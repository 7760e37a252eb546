"""Messages of hundreds of megabytes: delivered and dead-lettered, in bounded memory."""

import pathlib
import subprocess
import tempfile

import pika

from checks import STELE, check_of_stele, equal, eventually
from limits_memory import MIB, SETTINGS, status_mib
from own_server import own_server
from pika_session import DURABLE

SIZE = 300 * MIB

# A message is in memory three times while it is published; the next one may come meanwhile, and a checkpoint.
CEILING_MIB = 1536


def body():
    """A body whose pages differ from each other."""
    return b"".join(b"%08d" % number * 512 for number in range(SIZE // 4096))


@check_of_stele
def a_message_of_300_mib_is_delivered_and_dead_lettered():
    settings = {**SETTINGS, "STELE_LIMITS__MEMORY": f"{CEILING_MIB}MiB", "STELE_AMQP__BODY_MAX": "320MiB"}
    with own_server(**settings) as server:
        place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"], heartbeat=0)
        connection = pika.BlockingConnection(place)
        opened = connection.channel()
        opened.confirm_delivery()
        opened.queue_declare("letters", durable=True)
        dying = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters"}
        opened.queue_declare("large", durable=True, arguments=dying)
        sent = body()
        opened.basic_publish("", "large", sent, DURABLE)
        method, _, found = opened.basic_get("large")
        assert found == sent, len(found)
        opened.basic_reject(method.delivery_tag, requeue=False)

        def moved():
            return opened.basic_get("letters", auto_ack=True)[2]

        found = eventually(moved)
        assert found == sent, len(found)
        most = status_mib(server, "VmHWM")
        assert most < CEILING_MIB, f"{most} MiB"
        connection.close()


@check_of_stele
def a_maximum_that_memory_cannot_hold_is_refused_at_the_start():
    with tempfile.TemporaryDirectory(prefix="large-") as directory:
        command = [STELE, "serve", "--dir", str(pathlib.Path(directory) / "data")]
        settings = {"STELE_LIMITS__MEMORY": "1GiB", "STELE_AMQP__BODY_MAX": "512MiB"}
        refused = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60)
        equal(refused.returncode != 0, True)
        told = "`amqp.body_max` of 512 MiB needs 1536 MiB of memory, but the limit is 1024 MiB: "
        assert told in refused.stderr, refused.stderr
