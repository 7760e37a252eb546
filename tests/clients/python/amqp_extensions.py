"""RabbitMQ's extensions at their edges: direct reply-to, cancelled consumers, transactions, cycles of exchanges."""

import functools

import pika

from amqp_refusals import outcome
from checks import check, check_of_stele, equal, eventually, unique
from pika_session import channel, connection, get, queue, waits_for_depth

REPLIES = "amq.rabbitmq.reply-to"
ASKING = pika.BasicProperties(reply_to=REPLIES)


def consume_replies(opened, found=None, **changes):
    found = [] if found is None else found
    return opened.basic_consume(REPLIES, lambda *delivery: found.append(delivery[3]), **{"auto_ack": True, **changes})


def refused(action):
    """The refusal of an action on a channel of its own, if any."""
    with channel() as opened:

        def then_ask():
            action(opened)
            # A refusal of a method without a reply is seen by the next.
            opened.queue_declare("", exclusive=True)

        return outcome(then_ask)


def asks_without_consumer(opened):
    opened.confirm_delivery()
    opened.basic_publish("", "anywhere", b"", ASKING)


def asks_after_cancelling(opened):
    opened.basic_cancel(consume_replies(opened))
    asks_without_consumer(opened)


@check
def direct_reply_to_is_refused_where_it_makes_no_sense():
    for action, text in (
        (lambda opened: consume_replies(opened, auto_ack=False), "reply consumer cannot acknowledge"),
        (lambda opened: (consume_replies(opened), consume_replies(opened)), "reply consumer already set"),
        (asks_without_consumer, "fast reply consumer does not exist"),
        (asks_after_cancelling, "fast reply consumer does not exist"),
    ):
        equal(refused(action), f"406 PRECONDITION_FAILED - {text}")


def on_reply_queues(name):
    """What is refused for a name that isn't really a queue's."""
    absent = f"404 NOT_FOUND - no queue '{name}' in vhost '/'"
    for action in (
        lambda opened: opened.basic_get(name),
        lambda opened: opened.queue_purge(name),
        lambda opened: opened.queue_bind(name, "amq.direct", "key"),
    ):
        equal(refused(action), absent)
    equal(refused(lambda opened: opened.queue_delete(name)), "")


@check
def the_name_for_replies_can_be_declared_and_is_no_queue():
    with channel() as opened:
        for fields in ({}, {"passive": True}, {"durable": True, "exclusive": True}):
            answer = opened.queue_declare(REPLIES, **fields).method
            equal((answer.queue, answer.message_count, answer.consumer_count), (REPLIES, 0, 1))
    on_reply_queues(REPLIES)


def asked(opened, found):
    """Where the replies to a request go."""
    with queue("requests") as (server, requests):
        consume_replies(opened, found)
        opened.basic_publish("", requests, b"", ASKING)
        _, properties, _ = get(server, requests, auto_ack=True)
        assert properties.reply_to.startswith(f"{REPLIES}."), properties.reply_to
        return properties.reply_to


@check
def a_reply_arrives_and_its_address_can_be_declared_while_the_requester_is_there():
    with channel() as replier:
        with channel() as opened:
            found = []
            name = asked(opened, found)
            replier.basic_publish("", name, b"reply")

            def arrived():
                opened.connection.process_data_events(time_limit=0.02)
                return found

            equal(eventually(arrived), [b"reply"])
            for passive in (False, True):
                equal(replier.queue_declare(name, passive=passive).method.consumer_count, 1)
            on_reply_queues(name)
        replier.confirm_delivery()
        replier.basic_publish("", name, b"too late")
        absent = f"404 NOT_FOUND - no queue '{name}' in vhost '/'"

        def is_gone():
            return refused(lambda opened: opened.queue_declare(name, passive=True)) == absent

        eventually(is_gone)
        equal(refused(lambda opened: opened.queue_declare(name)), absent)
        on_reply_queues(name)


@check
def a_mandatory_reply_is_returned_when_the_channel_of_its_requester_is_gone():
    with channel() as replier, connection() as requester:
        returned = []
        replier.add_on_return_callback(lambda _, method, *rest: returned.append(method.reply_code))

        def came_back(times):
            replier.connection.process_data_events(time_limit=0.02)
            return len(returned) == times

        # The queue is gone when the client is told that the channel is closed, not some time later.
        for times in range(1, 21):
            opened = requester.channel()
            name = asked(opened, [])
            opened.close()
            replier.basic_publish("", name, b"reply", mandatory=True)
            eventually(lambda: came_back(times))
        equal(returned, [312] * 20)


@check_of_stele
def a_mandatory_reply_that_arrives_is_not_returned():
    with channel() as replier, channel() as opened:
        name = asked(opened, [])
        replier.confirm_delivery()
        replier.basic_publish("", name, b"reply", mandatory=True)


def cancelled(opened):
    """The tags of the consumers that the broker cancels, as it says so."""
    tags = []
    opened.add_on_cancel_callback(lambda frame: tags.append(frame.method.consumer_tag))
    return tags


def told(opened, tags, expected):
    def are_told():
        opened.connection.process_data_events(time_limit=0.02)
        return sorted(tags) == sorted(expected)

    eventually(are_told)
    # The channel is still usable.
    opened.queue_declare("", exclusive=True)


@check
def consumers_are_cancelled_when_their_queue_is_deleted_on_any_channel():
    with connection() as opening:
        opened, other = opening.channel(), opening.channel()
        for deleter in (opened, other):
            tags = cancelled(opened)
            name = unique("deleted")
            opened.queue_declare(name)
            for tag in ("one", "two"):
                opened.basic_consume(name, print, consumer_tag=tag)
            deleter.queue_delete(name)
            told(opened, tags, ["one", "two"])
    with channel() as opened, channel() as other:
        tags, name = cancelled(opened), unique("deleted")
        opened.queue_declare(name)
        opened.basic_consume(name, print, consumer_tag="far")
        other.queue_delete(name)
        told(opened, tags, ["far"])


@check
def the_owner_of_a_cancelled_consumer_may_consume_again_with_the_same_tag():
    with channel() as opened:
        tags = cancelled(opened)
        for times in (1, 2):
            name = unique("deleted")
            opened.queue_declare(name)
            opened.basic_consume(name, print, consumer_tag="again")
            opened.queue_delete(name)
            told(opened, tags, ["again"] * times)


@check
def an_auto_delete_queue_goes_with_its_last_consumer():
    with channel() as opened:
        tags, name = cancelled(opened), unique("auto")
        opened.queue_declare(name, auto_delete=True)
        first, last = (opened.basic_consume(name, print) for _ in range(2))
        opened.basic_cancel(first)
        opened.queue_declare(name, passive=True)
        opened.basic_cancel(last)
        equal(outcome(lambda: opened.queue_declare(name, passive=True))[:3], "404")
        equal(tags, [])


@check
def a_queue_with_a_consumer_does_not_expire():
    with channel() as opened:
        tags, name = cancelled(opened), unique("unused")
        opened.queue_declare(name, arguments={"x-expires": 300})
        tag = opened.basic_consume(name, print)
        opened.connection.process_data_events(time_limit=0.6)
        opened.basic_cancel(tag)
        opened.queue_declare(name, passive=True, arguments={"x-expires": 300})

        def is_gone():
            # A passive declaration would be a use.
            opened.connection.process_data_events(time_limit=0.6)
            return refused(lambda other: other.queue_declare(name, passive=True))[:3] == "404"

        eventually(is_gone)
        equal(tags, [])


@check
def a_message_passes_each_exchange_of_a_cycle_once():
    with channel() as opened:
        names = [unique("cycle") for _ in range(3)]
        for name in names:
            opened.exchange_declare(name, "fanout")
        for source, target in zip(names, names[1:] + names[:1]):
            opened.exchange_bind(target, source)
            opened.exchange_bind(source, source)
        ends = []
        for name in names:
            ends.append(opened.queue_declare("", exclusive=True).method.queue)
            opened.queue_bind(ends[-1], name)
        for name in names:
            opened.basic_publish(name, "", b"")
        for end in ends:
            waits_for_depth(opened, end, 3)
        for name in names:
            opened.exchange_delete(name)


@check
def modes_of_a_channel_exclude_each_other():
    confirmed, transactional = "cannot switch from confirm to tx mode", "cannot switch from tx to confirm mode"
    for action, text in (
        (lambda opened: (opened.confirm_delivery(), opened.tx_select()), confirmed),
        (lambda opened: (opened.tx_select(), opened.confirm_delivery()), transactional),
        (lambda opened: opened.tx_commit(), "channel is not transactional"),
        (lambda opened: opened.tx_rollback(), "channel is not transactional"),
    ):
        equal(refused(action), f"406 PRECONDITION_FAILED - {text}")


@check
def what_is_not_implemented_closes_the_connection_as_540():
    for action, text in (
        (lambda opened: opened.basic_qos(prefetch_size=5), "prefetch_size!=0 (5)"),
        (lambda opened: opened.basic_recover(requeue=False), "requeue=false"),
        (lambda opened: opened._impl._send_method(pika.spec.Channel.Flow(active=False)), "active=false"),
    ):
        equal(refused(action), f"540 NOT_IMPLEMENTED - {text}")


class External:
    """Credentials that the server doesn't offer to take."""

    TYPE, erase_on_connect = "EXTERNAL", False

    def response_for(self, start):
        return self.TYPE, b""

    def erase_credentials(self):
        pass


@check_of_stele
def a_mechanism_that_is_not_offered_is_refused_as_503():
    pika.credentials.VALID_TYPES.append(External)
    try:
        with connection(credentials=External()):
            raise AssertionError("connected")
    except pika.exceptions.ProbableAuthenticationError as error:
        text = "COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL'"
        assert "(503)" in str(error) and text in str(error), error


@check
def operations_on_what_is_absent_are_refused_or_done_already():
    queue_absent, exchange_absent = "no queue 'absent' in vhost '/'", "no exchange 'absent' in vhost '/'"
    for action, text in (
        (lambda opened: opened.basic_get("absent"), queue_absent),
        (lambda opened: opened.basic_consume("absent", print), queue_absent),
        (lambda opened: opened.queue_purge("absent"), queue_absent),
        (lambda opened: opened.queue_bind("absent", "amq.direct", "key"), queue_absent),
        (lambda opened: opened.queue_bind("absent", "absent", "key"), exchange_absent),
        (lambda opened: opened.exchange_bind("absent", "amq.direct"), exchange_absent),
        (lambda opened: opened.exchange_bind("amq.direct", "absent"), exchange_absent),
        (lambda opened: opened.basic_get(""), "no previously declared queue"),
    ):
        equal(refused(action), f"404 NOT_FOUND - {text}")
    for action in (
        lambda opened: opened.queue_delete("absent"),
        lambda opened: opened.exchange_delete("absent"),
        lambda opened: opened.queue_unbind("absent", "absent", "key"),
        lambda opened: opened.exchange_unbind("absent", "absent"),
    ):
        equal(refused(action), "")


@check
def the_default_exchange_cannot_be_changed():
    for action in (
        lambda opened: opened.queue_bind(opened.queue_declare("", exclusive=True).method.queue, "", "key"),
        lambda opened: opened.exchange_bind("", "amq.direct"),
        lambda opened: opened.exchange_bind("amq.direct", ""),
        lambda opened: opened.exchange_unbind("amq.direct", ""),
        lambda opened: opened.exchange_declare("", "direct"),
        lambda opened: opened.exchange_declare("", passive=True),
        lambda opened: opened.exchange_delete(""),
    ):
        equal(refused(action), "403 ACCESS_REFUSED - operation not permitted on the default exchange")


@check
def an_exclusive_consumer_is_alone():
    for flags in ((True, False), (False, True)):
        with queue() as (opened, name):
            opened.basic_consume(name, print, exclusive=flags[0])
            consume = functools.partial(opened.basic_consume, name, print, exclusive=flags[1])
            text = outcome(consume)
            equal(text, f"403 ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use")
