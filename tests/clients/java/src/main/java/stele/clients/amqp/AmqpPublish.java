package stele.clients.amqp;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.unique;
import static stele.clients.amqp.AmqpSession.channel;
import static stele.clients.amqp.AmqpSession.get;
import static stele.clients.amqp.AmqpSession.queue;
import static stele.clients.amqp.AmqpSession.refused;
import static stele.clients.amqp.AmqpSession.text;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Return;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import stele.clients.Checks;

/** Publishing: confirms, returns, routing, properties. */
public final class AmqpPublish {
    private static final byte[] EMPTY = {};

    private AmqpPublish() {
    }

    public static void register(Checks checks) {
        checks.add("every_publish_is_confirmed_once", AmqpPublish::confirms);
        checks.add("a_mandatory_message_that_nothing_takes_comes_back_before_its_confirm", AmqpPublish::returned);
        checks.add("direct_fanout_topic_and_headers_exchanges_route", AmqpPublish::routing);
        checks.add("big_bodies_come_back_whole", () -> queue((channel, name) -> {
            for (int length : new int[] {0, 131_063, 131_064, 131_065, 5_000_000}) {
                byte[] body = new byte[length];
                for (int index = 0; index < length; index++) {
                    body[index] = (byte) (index * 31);
                }
                channel.basicPublish("", name, MessageProperties.PERSISTENT_BASIC, body);
                equal(get(channel, name, true).getBody(), body);
            }
        }));
        checks.add("properties_and_nested_headers_come_back", AmqpPublish::properties);
        checks.add("publishing_to_an_absent_exchange_is_404", () -> channel(channel -> {
            channel.basicPublish(unique("absent"), "", null, EMPTY);
            refused(404, () -> eventually("the channel is closed", () -> {
                channel.exchangeDeclarePassive("amq.direct");
                return false;
            }));
        }));
    }

    private static void confirms() throws Exception {
        queue((channel, name) -> {
            Set<Long> open = new ConcurrentSkipListSet<>();
            var refusals = new AtomicLong();
            channel.addConfirmListener((tag, multiple) -> {
                if (multiple) {
                    open.removeIf(each -> each <= tag);
                } else if (!open.remove(tag)) {
                    refusals.incrementAndGet();
                }
            }, (tag, multiple) -> refusals.incrementAndGet());
            for (int number = 0; number < 2000; number++) {
                open.add(channel.getNextPublishSeqNo());
                channel.basicPublish("", name, MessageProperties.PERSISTENT_BASIC, EMPTY);
            }
            eventually("all are confirmed", open::isEmpty);
            equal(refusals.get(), 0L);
            equal(channel.messageCount(name), 2000L);
        });
    }

    private static void returned() throws Exception {
        channel(channel -> {
            var back = new AtomicReference<Return>();
            channel.addReturnListener(back::set);
            String key = unique("absent");
            channel.basicPublish("", key, true, MessageProperties.PERSISTENT_BASIC, EMPTY);
            channel.waitForConfirmsOrDie(60_000);
            equal(back.get() == null ? null : back.get().getReplyCode() + " " + back.get().getRoutingKey(), "312 " + key);
        });
    }

    private static void routing() throws Exception {
        queue((channel, name) -> {
            Map<String, Object> wanted = Map.of("x-match", "all", "kind", "order");
            for (var kind : AmqpSession.KINDS) {
                String exchange = unique(kind.getType());
                channel.exchangeDeclare(exchange, kind, false, true, null);
                channel.queueBind(name, exchange, kind == BuiltinExchangeType.TOPIC ? "orders.#" : "orders.eu", wanted);
                publish(channel, exchange, "orders.eu", "order", "both fit");
                publish(channel, exchange, "refunds", "order", "the headers fit");
                publish(channel, exchange, "orders.eu", "refund", "the key fits");
                channel.waitForConfirmsOrDie(60_000);
                Set<String> found = new TreeSet<>();
                for (var next = channel.basicGet(name, true); next != null; next = channel.basicGet(name, true)) {
                    found.add(text(next));
                }
                equal(found, switch (kind) {
                    case DIRECT, TOPIC -> Set.of("both fit", "the key fits");
                    case FANOUT -> Set.of("both fit", "the key fits", "the headers fit");
                    default -> Set.of("both fit", "the headers fit");
                });
                channel.queueUnbind(name, exchange, kind == BuiltinExchangeType.TOPIC ? "orders.#" : "orders.eu", wanted);
            }
        });
    }

    private static void publish(Channel channel, String exchange, String key, String kind, String body) throws Exception {
        var properties = new AMQP.BasicProperties.Builder().headers(Map.of("kind", kind)).build();
        channel.basicPublish(exchange, key, properties, body.getBytes());
    }

    private static void properties() throws Exception {
        Map<String, Object> headers = new HashMap<>();
        headers.put("int", 7);
        headers.put("long", 1L << 40);
        headers.put("double", 2.5);
        headers.put("yes", true);
        headers.put("nothing", null);
        headers.put("time", new Date(1_700_000_000_000L));
        headers.put("list", List.of(1, 2, List.of(3)));
        headers.put("table", Map.of("a", Map.of("b", 1)));
        var sent = new AMQP.BasicProperties.Builder().headers(headers).contentType("application/json")
            .contentEncoding("utf-8").deliveryMode(2).priority(4).correlationId("c").replyTo("r").messageId("m")
            .timestamp(new Date(1_700_000_000_000L)).type("t").userId("guest").appId("a").build();
        queue((channel, name) -> {
            channel.basicPublish("", name, sent, EMPTY);
            equal(get(channel, name, true).getProps(), sent);
        });
    }
}
