package main

import (
	"context"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

var consumeChecks = []checks.Check{
	{Claim: "deliveries_come_in_order_and_are_settled", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, queue string) error {
			if err := publishAll(ctx, channel, queue, "1", "2", "3"); err != nil {
				return err
			}
			deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
			if err != nil {
				return err
			}
			for _, expected := range []string{"1", "2", "3"} {
				delivery, err := next(ctx, deliveries)
				if err != nil {
					return err
				}
				if err := checks.Equal(string(delivery.Body), expected); err != nil {
					return err
				}
				if err := delivery.Ack(false); err != nil {
					return err
				}
			}
			left, err := channel.QueueInspect(queue)
			if err != nil {
				return err
			}
			return checks.Equal(left.Messages, 0)
		})
	}},
	{Claim: "a_returned_message_comes_again_marked_as_redelivered", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, queue string) error {
			if err := publishAll(ctx, channel, queue, "1", "2"); err != nil {
				return err
			}
			if err := channel.Qos(1, 0, false); err != nil {
				return err
			}
			deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
			if err != nil {
				return err
			}
			var seen []string
			for range 3 {
				delivery, err := next(ctx, deliveries)
				if err != nil {
					return err
				}
				seen = append(seen, fmt.Sprintf("%s %v", delivery.Body, delivery.Redelivered))
				if len(seen) == 1 {
					err = delivery.Nack(false, true)
				} else {
					err = delivery.Ack(false)
				}
				if err != nil {
					return err
				}
			}
			return checks.Equal(seen, []string{"1 false", "1 true", "2 false"})
		})
	}},
	{Claim: "the_server_names_a_consumer_and_tells_it_of_the_end", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, queue string) error {
			cancels := channel.NotifyCancel(make(chan string, 1))
			if _, err := channel.Consume(queue, "", false, false, false, false, nil); err != nil {
				return err
			}
			err := withChannel(func(other *amqp.Channel) error {
				_, err := other.QueueDelete(queue, false, false, false)
				return err
			})
			if err != nil {
				return err
			}
			select {
			case tag := <-cancels:
				if !strings.HasPrefix(tag, "ctag-") {
					return fmt.Errorf("cancelled %q", tag)
				}
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}},
	{Claim: "an_exclusive_queue_is_405_for_another_connection", Shows: func(context.Context) error {
		return withChannel(func(owner *amqp.Channel) error {
			queue, err := owner.QueueDeclare("", false, true, true, false, nil)
			if err != nil {
				return err
			}
			return withChannel(func(other *amqp.Channel) error {
				_, err := other.QueueDeclarePassive(queue.Name, false, true, true, false, nil)
				return refused(err, amqp.ResourceLocked)
			})
		})
	}},
	{Claim: "an_absent_queue_is_404", Shows: func(context.Context) error {
		return withChannel(func(channel *amqp.Channel) error {
			_, _, err := channel.Get(checks.Unique("absent"), false)
			return refused(err, amqp.NotFound)
		})
	}},
	{Claim: "a_cancelled_consumer_ends", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, queue string) error {
			deliveries, err := channel.Consume(queue, "mine", true, false, false, false, nil)
			if err != nil {
				return err
			}
			if err := publishAll(ctx, channel, queue, "1"); err != nil {
				return err
			}
			if _, err := next(ctx, deliveries); err != nil {
				return err
			}
			if err := channel.Cancel("mine", false); err != nil {
				return err
			}
			if _, err := next(ctx, deliveries); err == nil {
				return fmt.Errorf("a delivery after the cancellation")
			}
			return publishAll(ctx, channel, queue, "2")
		})
	}},
	{Claim: "a_no_wait_declaration_and_binding_take_effect", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, _ string) error {
			name := checks.Unique("no-wait")
			if _, err := channel.QueueDeclare(name, false, true, false, true, nil); err != nil {
				return err
			}
			if err := channel.QueueBind(name, name, "amq.direct", true, nil); err != nil {
				return err
			}
			confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "amq.direct", name, false, false, amqp.Publishing{})
			if err != nil {
				return err
			}
			if _, err := confirm.WaitContext(ctx); err != nil {
				return err
			}
			_, found, err := channel.Get(name, true)
			if err != nil {
				return err
			}
			return checks.Equal(found, true)
		})
	}},
}
