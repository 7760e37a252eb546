"""Declarations that are refused, each with RabbitMQ's exact text."""

import contextlib

import pika
import pika.exceptions

from checks import check, equal, unique
from pika_session import channel, connection

CLOSED = (pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)

LOCKED = (
    "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be "
    "originally declared on another connection or the exclusive property value does not match that of the original "
    "declaration."
)


def outcome(action):
    """The code and the text of a refusal; empty if there is none."""
    try:
        action()
    except CLOSED as error:
        return f"{error.reply_code} {error.reply_text}"
    return ""


@contextlib.contextmanager
def removed(kind, name):
    """Deletes a queue or an exchange afterwards. An exclusive queue, which is locked, ends with its connection."""
    try:
        yield
    finally:
        with contextlib.suppress(*CLOSED), channel() as opened:
            (opened.queue_delete if kind == "queue" else opened.exchange_delete)(name)


def declaration(opened, kind, name, fields):
    declare = opened.queue_declare if kind == "queue" else opened.exchange_declare
    return lambda: declare(name, **fields)


def redeclared(kind, first, second):
    """The refusal of a second declaration of a queue or an exchange, and its name."""
    name = unique(kind)
    with channel() as opened, removed(kind, name):
        equal(outcome(declaration(opened, kind, name, first)), "")
        return name, outcome(declaration(opened, kind, name, second))


def differs(kind, field, first, second, received, current):
    name, text = redeclared(kind, first, second)
    equal(
        text,
        f"406 PRECONDITION_FAILED - inequivalent arg '{field}' for {kind} '{name}' in vhost '/': "
        f"received {received} but current is {current}",
    )


# The field, two declarations that differ in it, and how their values are shown.
QUEUE_FIELDS = [
    ("durable", {"durable": True}, {}, "'false'", "'true'"),
    ("durable", {}, {"durable": True}, "'true'", "'false'"),
    ("auto_delete", {"durable": True}, {"durable": True, "auto_delete": True}, "'true'", "'false'"),
    ("auto_delete", {"auto_delete": True}, {}, "'false'", "'true'"),
]

EXCHANGE_FIELDS = [
    ("type", {}, {"exchange_type": "fanout"}, "'fanout'", "'direct'"),
    ("type", {"exchange_type": "x-random"}, {}, "'direct'", "''x-random''"),
    ("type", {"exchange_type": "x-random"}, {"exchange_type": "x-modulus-hash"}, "''x-modulus-hash''", "''x-random''"),
    ("durable", {}, {"durable": True}, "'true'", "'false'"),
    ("durable", {"durable": True}, {}, "'false'", "'true'"),
    ("auto_delete", {}, {"auto_delete": True}, "'true'", "'false'"),
    ("auto_delete", {"auto_delete": True}, {}, "'false'", "'true'"),
    ("internal", {}, {"internal": True}, "'true'", "'false'"),
    ("internal", {"internal": True}, {}, "'false'", "'true'"),
    ("type", {"durable": True}, {"exchange_type": "fanout", "internal": True}, "'fanout'", "'direct'"),
]

# A type of queue, an argument, two values, and a value of another type.
QUEUE_ARGUMENTS = [
    ("classic", "x-expires", 60000, 70000, "60000"),
    ("classic", "x-message-ttl", 60000, 70000, True),
    ("classic", "x-queue-mode", "lazy", "default", 5),
    ("classic", "x-queue-version", 1, 2, "1"),
    ("classic", "x-queue-master-locator", "min-masters", "random", 5),
    ("classic", "x-max-length", 5, 6, "5"),
    ("classic", "x-max-length-bytes", 5, 6, "5"),
    ("classic", "x-overflow", "drop-head", "reject-publish", 5),
    ("classic", "x-single-active-consumer", False, True, 5),
    ("quorum", "x-expires", 60000, 70000, "60000"),
    ("quorum", "x-message-ttl", 60000, 70000, "60000"),
    ("quorum", "x-quorum-initial-group-size", 1, 2, "1"),
    ("quorum", "x-max-in-memory-length", 5, 6, "5"),
    ("quorum", "x-max-in-memory-bytes", 5, 6, "5"),
    ("quorum", "x-max-length-bytes", 5, 6, "5"),
    ("quorum", "x-overflow", "drop-head", "reject-publish", 5),
    ("quorum", "x-single-active-consumer", False, True, 5),
]

EXCHANGE_ARGUMENTS = [("alternate-exchange", "a", "b", 5)]


def shown(value):
    """A value in a text of the broker, alone and with its type."""
    if isinstance(value, bool):
        return f"'{str(value).lower()}'", f"the value '{str(value).lower()}' of type 'bool'"
    kind = "signedint" if isinstance(value, int) else "longstr"
    return f"'{value}'", f"the value '{value}' of type '{kind}'"


def differ(kind, name, fields, one, two, odd):
    def declared(arguments):
        return {**fields, "arguments": {**fields.get("arguments", {}), **arguments}}

    alone, whole = shown(one)
    none, first = declared({}), declared({name: one})
    differs(kind, name, first, none, "none", whole)
    differs(kind, name, none, first, whole, "none")
    differs(kind, name, first, declared({name: two}), shown(two)[0], alone)
    differs(kind, name, first, declared({name: odd}), shown(odd)[0], alone)
    equal(redeclared(kind, first, first)[1], "")


@check
def a_queue_is_declared_again_with_the_same_fields():
    for case in QUEUE_FIELDS:
        differs("queue", *case)


@check
def a_queue_is_declared_again_with_the_same_arguments():
    for kind, *case in QUEUE_ARGUMENTS:
        arguments = {"x-queue-type": kind} if kind != "classic" else {}
        differ("queue", case[0], {"durable": True, "arguments": arguments}, *case[1:])
    differ("queue", "x-queue-type", {"durable": True}, "quorum", "classic", 5)
    equal(redeclared("queue", {}, {"arguments": {"x-queue-type": "classic"}})[1], "")
    equal(redeclared("queue", {"arguments": {"x-own": "a"}}, {"arguments": {"x-own": 5}})[1], "")


@check
def an_exchange_is_declared_again_with_the_same_fields_and_arguments():
    for case in EXCHANGE_FIELDS:
        differs("exchange", *case)
    for name, *case in EXCHANGE_ARGUMENTS:
        differ("exchange", name, {}, *case)
    equal(redeclared("exchange", {"arguments": {"own": "a"}}, {"arguments": {"own": 5}})[1], "")
    hashed = {"exchange_type": "x-consistent-hash"}
    equal(redeclared("exchange", hashed, {**hashed, "arguments": {"hash-header": "a"}})[1], "")


@check
def an_exclusive_queue_is_not_durable_whatever_is_declared():
    both = {"exclusive": True, "durable": True}
    for first, second in (({"exclusive": True}, both), (both, {"exclusive": True})):
        equal(redeclared("queue", first, second)[1], "")
    for first, second in (({"durable": True}, both), ({"exclusive": True}, {})):
        name, text = redeclared("queue", first, second)
        equal(text, LOCKED.format(name=name))


@check
def an_exclusive_queue_is_locked_to_other_connections():
    with connection() as owner:
        name = owner.channel().queue_declare(unique("locked"), exclusive=True).method.queue
        for action in (
            lambda opened: opened.queue_declare(name, exclusive=True),
            lambda opened: opened.queue_declare(name, passive=True),
            lambda opened: opened.queue_declare(name),
            lambda opened: opened.basic_consume(name, print),
            lambda opened: opened.basic_get(name),
            lambda opened: opened.queue_bind(name, "amq.direct", "key"),
            lambda opened: opened.queue_purge(name),
            lambda opened: opened.queue_delete(name),
        ):
            with channel() as opened:
                equal(outcome(lambda action=action, opened=opened: action(opened)), LOCKED.format(name=name))
        with channel() as opened:
            opened.queue_unbind(name, "amq.direct", "unbound")


# Arguments of a new durable queue, and what is wrong with the last of them.
QUEUES_REFUSED = [
    ({"x-expires": 0}, "{value_zero,0}"),
    ({"x-expires": -1}, "{value_negative,-1}"),
    ({"x-expires": "a"}, '"expected integer, got longstr"'),
    ({"x-expires": 315360000001}, "{value_too_large,315360000001}"),
    ({"x-message-ttl": -1}, "{value_negative,-1}"),
    ({"x-message-ttl": "1"}, '"expected integer, got longstr"'),
    ({"x-message-ttl": None}, '"expected integer, got void"'),
    ({"x-message-ttl": True}, '"expected integer, got bool"'),
    ({"x-queue-mode": "a"}, "\"unsupported queue mode 'a'\""),
    ({"x-queue-mode": 5}, "{unacceptable_type,signedint}"),
    ({"x-queue-type": "a"}, "\"unsupported queue type 'a'\""),
    ({"x-queue-type": ""}, "\"unsupported queue type ''\""),
    ({"x-queue-type": 5}, "{unacceptable_type,signedint}"),
    ({"x-queue-version": 3}, "\"unsupported queue version '3'\""),
    ({"x-queue-version": "1"}, '"expected integer, got longstr"'),
    ({"x-overflow": "a"}, "invalid_overflow"),
    ({"x-overflow": 5}, "{unacceptable_type,signedint}"),
    ({"x-single-active-consumer": "true"}, "{unacceptable_type,longstr}"),
    ({"x-max-length": -1}, "{value_negative,-1}"),
    ({"x-max-length": "5"}, '"expected integer, got longstr"'),
    ({"x-max-length-bytes": -1}, "{value_negative,-1}"),
    ({"x-max-length-bytes": "5"}, '"expected integer, got longstr"'),
    ({"x-max-length-bytes": True}, '"expected integer, got bool"'),
    ({"x-max-priority": -1}, "{value_negative,-1}"),
    ({"x-dead-letter-routing-key": 5}, "{unacceptable_type,signedint}"),
    ({"x-queue-type": "quorum", "x-quorum-initial-group-size": 0}, "{value_zero,0}"),
]

# Arguments that a type of queue doesn't have.
FOREIGN = [
    ("classic", "x-max-in-memory-length", 5),
    ("classic", "x-max-in-memory-bytes", 5),
    ("classic", "x-quorum-initial-group-size", 1),
    ("classic", "x-delivery-limit", -5),
    ("classic", "x-max-age", "1D"),
    ("classic", "x-stream-max-segment-size-bytes", 5),
    ("quorum", "x-queue-mode", "lazy"),
    ("quorum", "x-queue-version", 2),
    ("quorum", "x-max-priority", 5),
    ("quorum", "x-queue-master-locator", "random"),
]


@check
def an_argument_of_a_queue_is_checked():
    for arguments, what in QUEUES_REFUSED:
        name, argument = unique("refused"), list(arguments)[-1]
        with channel() as opened:
            text = outcome(lambda: opened.queue_declare(name, durable=True, arguments=arguments))
        equal(text, f"406 PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': {what}")
        with channel() as opened:
            equal(outcome(lambda: opened.queue_declare(name, passive=True))[:3], "404")


@check
def an_argument_of_another_type_of_queue_is_refused_or_ignored_when_it_exists():
    for kind, argument, value in FOREIGN:
        name = unique("foreign")
        arguments = {"x-queue-type": kind, argument: value}
        with channel() as opened:
            text = outcome(lambda: opened.queue_declare(name, durable=True, arguments=arguments))
        equal(
            text,
            f"406 PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/' "
            f"of queue type rabbit_{kind}_queue",
        )
        first = {"durable": True, "arguments": {"x-queue-type": kind}}
        equal(redeclared("queue", first, {"durable": True, "arguments": arguments})[1], "")


@check
def a_quorum_queue_is_durable_and_shared():
    quorum = {"arguments": {"x-queue-type": "quorum"}}
    for fields, what in (
        ({}, "non-durable"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
    ):
        name = unique("quorum")
        with channel() as opened:
            text = outcome(lambda: opened.queue_declare(name, **fields, **quorum))
        equal(text, f"406 PRECONDITION_FAILED - invalid property '{what}' for queue '{name}' in vhost '/'")


@check
def a_reserved_name_is_refused_to_new_queues_and_exchanges():
    for kind in ("queue", "exchange"):
        for name in (f"amq.{unique('mine')}", f"amq.gen-{unique('mine')}", "amq."):
            # A reserved name is noticed before a wrong argument.
            odd = {} if kind == "queue" else {"arguments": {"alternate-exchange": 5}}
            with channel() as opened:
                text = outcome(declaration(opened, kind, name, odd))
            equal(text, f"403 ACCESS_REFUSED - {kind} name '{name}' contains reserved prefix 'amq.*'")
            with channel() as opened:
                text = outcome(declaration(opened, kind, name, {"passive": True}))
            equal(text, f"404 NOT_FOUND - no {kind} '{name}' in vhost '/'")
    with channel() as opened:
        generated = opened.queue_declare("", exclusive=True).method.queue
        opened.queue_declare(generated, passive=True)
        text = outcome(lambda: opened.queue_declare(generated, exclusive=True))
        equal(text, f"403 ACCESS_REFUSED - queue name '{generated}' contains reserved prefix 'amq.*'")


# The type and arguments of a new exchange, and the refusal.
EXCHANGES_REFUSED = [
    ("no-such", {}, "503 COMMAND_INVALID - unknown exchange type 'no-such'"),
    ("Direct", {}, "503 COMMAND_INVALID - unknown exchange type 'Direct'"),
    ("", {}, "503 COMMAND_INVALID - invalid exchange type ''"),
    (
        "direct",
        {"alternate-exchange": 5},
        "406 PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange '{name}' "
        "in vhost '/'",
    ),
    (
        "x-consistent-hash",
        {"hash-header": "a", "hash-property": "message_id"},
        "406 PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive",
    ),
    (
        "x-consistent-hash",
        {"hash-property": "app_id"},
        "406 PRECONDITION_FAILED - Unsupported property: app_id",
    ),
]

# The type of an exchange, a binding key, the arguments, and the refusal.
BINDINGS_REFUSED = [
    ("x-consistent-hash", "0", {}, "The binding key must be greater than 0"),
    ("x-consistent-hash", "-1", {}, "The binding key must be greater than 0"),
    ("x-consistent-hash", "abc", {}, 'The binding key must be an integer: <<"abc">>'),
    ("x-consistent-hash", "1.5", {}, 'The binding key must be an integer: <<"1.5">>'),
    ("x-consistent-hash", " 1", {}, 'The binding key must be an integer: <<" 1">>'),
    ("x-consistent-hash", "+3", {}, ""),
    ("x-consistent-hash", "007", {}, ""),
    ("x-random", "x", {"x-match": "foo"}, ""),
    (
        "headers",
        "x",
        {"x-match": "foo"},
        'Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
    ),
    ("headers", "x", {"x-match": 5}, "Invalid x-match field type signedint (value 5); expected longstr"),
]


def check_exchanges(cases):
    for kind, arguments, expected in cases:
        name = unique("refused")
        with channel() as opened:
            text = outcome(lambda: opened.exchange_declare(name, kind, arguments=arguments))
        equal(text, expected.format(name=name))


def check_bindings(cases):
    """Of queues, and of exchanges."""
    for kind, key, arguments, expected in cases:
        for to_queue in (True, False):
            with channel() as opened:
                exchange = unique("source")
                opened.exchange_declare(exchange, kind, auto_delete=True)
                if to_queue:
                    queue = opened.queue_declare("", exclusive=True).method.queue
                    bind = lambda: opened.queue_bind(queue, exchange, key, arguments)  # noqa: E731
                else:
                    bind = lambda: opened.exchange_bind("amq.fanout", exchange, key, arguments)  # noqa: E731
                text = outcome(bind)
            equal(text, f"406 PRECONDITION_FAILED - {expected}" if expected else "")
            with channel() as opened:
                opened.exchange_delete(exchange)


@check
def an_exchanges_type_and_arguments_are_checked():
    check_exchanges(EXCHANGES_REFUSED)


@check
def a_bindings_key_and_arguments_are_checked():
    check_bindings(BINDINGS_REFUSED)


@check
def the_exchange_for_traces_can_be_bound_and_not_published_to():
    name = "amq.rabbitmq.trace"
    with channel() as opened:
        opened.exchange_declare(name, passive=True)
        opened.exchange_declare(name, "topic", durable=True, internal=True)
        opened.queue_bind(opened.queue_declare("", exclusive=True).method.queue, name, "publish.#")
    for action, text in (
        (
            lambda opened: opened.exchange_delete(name),
            f"403 ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed",
        ),
        (
            lambda opened: (opened.confirm_delivery(), opened.basic_publish(name, "key", b"")),
            f"403 ACCESS_REFUSED - cannot publish to internal exchange '{name}' in vhost '/'",
        ),
    ):
        with channel() as opened:
            equal(outcome(lambda action=action, opened=opened: action(opened)), text)
