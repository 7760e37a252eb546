"""The stele command: its errors, its output, and its log messages."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import pika
from confluent_kafka import Producer

from checks import STELE, check_of_stele, equal, eventually
from own_server import own_server


def stele(*words, code=0, **environment):
    """The output of the command, which must end with this exit code."""
    done = subprocess.run(
        [STELE, *map(str, words)], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    equal((done.returncode, done.stderr if code == 0 else ""), (code, ""))
    return done.stdout if code == 0 else done.stderr


def lines(server):
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def logged(server, message):
    """The first line with this message, once there is one."""
    return eventually(lambda: next((line for line in lines(server) if line.get("message") == message), None))


@check_of_stele
def a_variable_that_nothing_reads_stops_the_start_with_the_nearest_name():
    told = stele("config", "check", code=2, STELE_KAFKA_PORT="1")
    equal(told, "error: STELE_KAFKA_PORT: unknown variable; did you mean `STELE_KAFKA__PORT`?\n")


@check_of_stele
def what_kubernetes_says_of_a_service_called_stele_is_no_setting():
    service = {"STELE_SERVICE_HOST": "10.0.0.1", "STELE_PORT": "tcp://10.0.0.1:9092", "STELE_PORT_9092_TCP_PORT": "9092"}
    equal(stele("config", "check", **service), "the configuration is valid\n")


@check_of_stele
def dev_takes_no_data_directory():
    with tempfile.TemporaryDirectory(prefix="kept-") as directory:
        for words in (("--dir", directory), ("--set", f"storage.dir={directory}")):
            told = stele("dev", *words, code=2)
            assert "stele serve --dir DIR" in told, told


@check_of_stele
def a_benchmark_of_sqs_takes_no_batch_that_sqs_does_not():
    equal(
        stele("bench", "sqs", "--batch", 50, code=2),
        "error: --batch 50: a request to SQS takes at most 10 messages\n",
    )


@check_of_stele
def what_the_system_says_is_said_once():
    told = stele("storage", "dump", "/nowhere/0.journal", code=1)
    equal(told.count("os error 2"), 1)


@check_of_stele
def another_number_of_shards_than_the_directory_has_is_told():
    with own_server(STELE_ENGINE__SHARDS="1") as server:
        server.stop()
        server.settings["STELE_ENGINE__SHARDS"] = "3"
        server.start()
        ignored = "engine.shards is ignored: a data directory keeps the number of shards that it was created with"
        line = logged(server, ignored)
        equal((line["level"], line["wanted"], line["shards"]), ("WARN", 3, 1))


@check_of_stele
def status_shows_the_records_of_a_topic_and_their_size():
    with own_server() as server:
        producer = Producer({"bootstrap.servers": server.environment()["KAFKA_ADDRESS"]})
        for number in range(5):
            producer.produce("full", f"record {number}")
        producer.flush(60)
        place = ("--admin", f"127.0.0.1:{server.ports['admin']}")
        header = next(line for line in stele("status", *place).splitlines() if "RECORDS" in line)
        assert "SIZE BYTES" in header, header
        full = next(log for log in json.loads(stele("status", "--json", *place))["logs"] if log["name"] == "full")
        equal(full["records"], 5)
        assert full["size_bytes"] >= 5 * len("record 0"), full


@check_of_stele
def messages_are_shown_and_stay_where_they_are():
    with own_server() as server:
        admin = f"127.0.0.1:{server.ports['admin']}"
        place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"])
        with pika.BlockingConnection(place) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("a b/c", durable=True)
            for number in range(3):
                channel.basic_publish("", "a b/c", b"message %d" % number)
            channel.basic_get("a b/c")
            shown = stele("log", "peek", "a b/c", "--limit", 2, "--admin", admin)
            leased, ready, more = shown.splitlines()
            equal(leased.split(), ["0:0", "leased", "9", "B", "delivered", "1×", "message", "0"])
            equal(ready.split(), ["0:1", "ready", "9", "B", "message", "1"])
            equal(more, "… and more: --after 0:1")
            rest = stele("log", "peek", "a b/c", "--after", "0:1", "--state", "ready", "--json", "--admin", admin)
            (last,) = json.loads(rest)["messages"]
            equal((last["body"], last["routing_key"]), ({"text": "message 2"}, "a b/c"))
            (held,) = json.loads(stele("log", "peek", "a b/c", "--state", "leased", "--json", "--admin", admin))["messages"]
            assert held["lease"]["connection"].endswith(f"127.0.0.1:{server.ports['amqp']}"), held
            equal(channel.queue_declare("a b/c", passive=True).method.message_count, 2)
        told = stele("log", "peek", "none", "--admin", admin, code=1)
        assert "no queue or topic of that name" in told, told


@check_of_stele
def a_login_that_is_missing_is_told_with_its_flag():
    with own_server(STELE_ADMIN__HOST="0.0.0.0", STELE_AUTH__USERS="ann:right") as server:
        place = ("--admin", f"127.0.0.1:{server.ports['admin']}")
        assert "--login NAME:PASSWORD" in stele("status", *place, code=1)
        assert "refuses the login" in stele("status", *place, "--login", "ann:wrong", code=1)
        assert "is ready" in stele("status", *place, "--login", "ann:right")


@check_of_stele
def definitions_are_logged_and_a_dump_shows_them_in_words():
    with own_server() as server:
        place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"])
        with pika.BlockingConnection(place) as connection:
            channel = connection.channel()
            channel.queue_declare("shown", durable=True)
            channel.exchange_declare("routes", "topic", durable=True)
            channel.queue_declare("", exclusive=True)
            channel.queue_delete("shown")
            channel.exchange_delete("routes")
        for message, name in [
            ("queue or topic created", "shown"),
            ("queue or topic deleted", "shown"),
            ("exchange created", "routes"),
            ("exchange deleted", "routes"),
        ]:
            line = logged(server, message)
            equal((line["level"], line["name"], line["vhost"]), ("INFO", name, "/"))
        told = [line for line in lines(server) if line.get("message") == "queue or topic created"]
        equal(len(told), 1)
        journal = next((server.directory / "data").glob("shard-0/journal/*.journal"))
        dumped = stele("storage", "dump", journal)
        assert 'control Catalogue(LogDefined(' in dumped and 'shown' in dumped, dumped[:2000]


@check_of_stele
def what_recovery_found_is_logged_as_fields():
    with own_server() as server:
        line = logged(server, "recovered")
        equal((line["level"], line["shard"], line["torn_bytes"]), ("INFO", "0", 0))
        assert "report" not in line, line


@check_of_stele
def a_cluster_id_that_was_removed_is_told():
    with own_server() as server:
        equal([line for line in lines(server) if "cluster id" in line["message"]], [])
        server.stop()
        (server.directory / "data" / "CLUSTER_ID").unlink()
        server.start()
        missing = "the cluster id was missing and a new one was generated: Kafka clients take this for another cluster"
        equal(logged(server, missing)["level"], "WARN")


def ends(process, number):
    """Sends the signal; returns the exit code and the log."""
    process.send_signal(number)
    _, log = process.communicate(timeout=60)
    return process.returncode, log


@contextlib.contextmanager
def dev(directory, *before):
    """`stele dev` with its temporary directory in `directory`, ready."""
    ports = [f"--{front}-port=0" for front in ("kafka", "amqp", "sqs", "admin")]
    ports_file = pathlib.Path(directory) / "ports.json"
    process = subprocess.Popen(
        [*before, STELE, "dev", *ports, "--ports-file", ports_file],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": directory},
        # The tests themselves may run under nohup, which their processes would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    try:
        eventually(ports_file.exists)
        yield process, json.loads(ports_file.read_text())
    finally:
        process.kill()
        process.communicate()


@check_of_stele
def a_terminal_that_goes_drains_and_dev_leaves_nothing():
    for number in (signal.SIGHUP, signal.SIGTERM):
        with tempfile.TemporaryDirectory(prefix="dev-") as directory:
            with dev(directory) as (process, _):
                assert list(pathlib.Path(directory).glob("stele-dev-*"))
                code, log = ends(process, number)
                equal(code, 0)
                assert "all acknowledged data is on disk" in log, log
                equal(list(pathlib.Path(directory).glob("stele-dev-*")), [])


@check_of_stele
def nohup_keeps_it_running():
    with tempfile.TemporaryDirectory(prefix="dev-") as directory:
        with dev(directory, "nohup") as (process, ports):
            process.send_signal(signal.SIGHUP)
            with socket.create_connection(("127.0.0.1", ports["admin"]), 60) as opened:
                opened.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                assert opened.recv(100).startswith(b"HTTP/1.0 200"), "it is stopping"
            equal(ends(process, signal.SIGTERM)[0], 0)


@check_of_stele
def an_idle_amqp_client_does_not_hold_a_stop_up():
    with own_server() as server:
        place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"])
        # pika reads its socket only when the application calls it, which this one doesn't.
        pika.BlockingConnection(place).channel()
        began = time.monotonic()
        server.stop()
        took = time.monotonic() - began
        server.start()
        assert took < 3, took


@check_of_stele
def trace_says_whose_messages_are_copied():
    with own_server() as server:
        admin = ("--admin", f"127.0.0.1:{server.ports['admin']}")
        equal(stele("trace", "on", *admin), "messages of / are traced\n")
        equal(stele("trace", "off", *admin), "messages of / are no longer traced\n")
        equal(stele("trace", "on", "--vhost", "none", *admin, code=1), "error: no such virtual host\n")
