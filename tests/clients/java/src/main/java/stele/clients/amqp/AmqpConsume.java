package stele.clients.amqp;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.unique;
import static stele.clients.amqp.AmqpSession.channel;
import static stele.clients.amqp.AmqpSession.get;
import static stele.clients.amqp.AmqpSession.publish;
import static stele.clients.amqp.AmqpSession.queue;
import static stele.clients.amqp.AmqpSession.refused;
import static stele.clients.amqp.AmqpSession.text;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import stele.clients.Checks;

/** Consuming: prefetch, return, redelivery, cancellation. */
public final class AmqpConsume {
    private AmqpConsume() {
    }

    public static void register(Checks checks) {
        checks.add("prefetch_limits_what_is_out", AmqpConsume::prefetch);
        checks.add("nack_requeues_at_the_head_and_marks_as_redelivered", () -> queue((channel, name) -> {
            publish(channel, name, "1", "2");
            var first = get(channel, name, false);
            equal(text(first) + first.getEnvelope().isRedeliver(), "1false");
            channel.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
            var again = get(channel, name, true);
            equal(text(again) + again.getEnvelope().isRedeliver(), "1true");
            equal(text(get(channel, name, true)), "2");
        }));
        checks.add("reject_drops_and_get_tells_what_is_left", () -> queue((channel, name) -> {
            publish(channel, name, "1", "2", "3");
            var first = get(channel, name, false);
            equal(first.getMessageCount(), 2);
            channel.basicReject(first.getEnvelope().getDeliveryTag(), false);
            equal(text(get(channel, name, true)), "2");
            equal(text(get(channel, name, true)), "3");
            equal(channel.basicGet(name, true), null);
        }));
        checks.add("recover_delivers_again", () -> queue((channel, name) -> {
            publish(channel, name, "1", "2");
            get(channel, name, false);
            get(channel, name, false);
            channel.basicRecover(true);
            equal(text(get(channel, name, false)), "1");
            var second = get(channel, name, false);
            equal(text(second) + second.getEnvelope().isRedeliver(), "2true");
        }));
        checks.add("deleting_the_queue_cancels_its_consumer", () -> queue((channel, name) -> {
            var cancelled = new AtomicReference<String>();
            String tag = channel.basicConsume(name, (consumer, delivery) -> { }, cancelled::set);
            holds(tag.startsWith("amq.ctag-"), tag);
            channel(other -> other.queueDelete(name));
            eventually("the consumer is told", () -> tag.equals(cancelled.get()));
        }));
        checks.add("an_exclusive_consumer_keeps_others_out", () -> queue((channel, name) -> {
            channel.basicConsume(name, false, "mine", false, true, null, (consumer, delivery) -> { }, consumer -> { });
            channel(other -> refused(403, () ->
                other.basicConsume(name, (consumer, delivery) -> { }, consumer -> { })));
        }));
        checks.add("an_unknown_delivery_tag_is_406", () -> queue((channel, name) -> {
            channel.basicAck(99, false);
            refused(406, () -> channel.queueDeclarePassive(name));
        }));
        checks.add("consuming_an_absent_queue_is_404", () -> channel(channel -> refused(404, () ->
            channel.basicConsume(unique("absent"), (consumer, delivery) -> { }, consumer -> { }))));
        checks.add("a_thousand_messages_come_in_order_to_one_consumer", () -> queue((channel, name) -> {
            String[] texts = new String[1000];
            for (int number = 0; number < texts.length; number++) {
                texts[number] = Integer.toString(number);
            }
            publish(channel, name, texts);
            var deliveries = consume(channel, name);
            List<String> found = new ArrayList<>();
            while (found.size() < texts.length) {
                var next = deliveries.poll(60, TimeUnit.SECONDS);
                holds(next != null, found.size() + " came");
                found.add(new String(next.getBody()));
                channel.basicAck(next.getEnvelope().getDeliveryTag(), false);
            }
            equal(found, List.of(texts));
        }));
    }

    private static BlockingQueue<Delivery> consume(Channel channel, String queue) throws Exception {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, (tag, delivery) -> deliveries.add(delivery), tag -> { });
        return deliveries;
    }

    private static void prefetch() throws Exception {
        queue((channel, name) -> {
            publish(channel, name, "1", "2", "3", "4", "5");
            channel.basicQos(2);
            var deliveries = consume(channel, name);
            var first = deliveries.poll(60, TimeUnit.SECONDS);
            holds(first != null && deliveries.poll(60, TimeUnit.SECONDS) != null, "two came");
            equal(deliveries.poll(300, TimeUnit.MILLISECONDS), null);
            channel.basicAck(first.getEnvelope().getDeliveryTag(), false);
            equal(new String(deliveries.poll(60, TimeUnit.SECONDS).getBody()), "3");
            equal(deliveries.poll(300, TimeUnit.MILLISECONDS), null);
            equal(channel.messageCount(name), 2L);
        });
    }
}
