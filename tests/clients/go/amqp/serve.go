package main

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

// withArguments provides a channel and a fresh queue with these arguments, which ends with the connection.
func withArguments(arguments amqp.Table, do func(*amqp.Connection, *amqp.Channel, string) error) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	queue, err := channel.QueueDeclare("", false, false, true, false, arguments)
	if err != nil {
		return err
	}
	if err := channel.Confirm(false); err != nil {
		return err
	}
	return do(connection, channel, queue.Name)
}

// consumer provides the deliveries of a consumer on a channel of its own.
func consumer(connection *amqp.Connection, queue string, prefetch int, arguments amqp.Table) (*amqp.Channel, <-chan amqp.Delivery, error) {
	channel, err := connection.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return nil, nil, err
	}
	deliveries, err := channel.Consume(queue, "", false, false, false, false, arguments)
	return channel, deliveries, err
}

// expect checks the bodies of the next deliveries.
func expect(ctx context.Context, deliveries <-chan amqp.Delivery, bodies ...string) error {
	for _, body := range bodies {
		delivery, err := next(ctx, deliveries)
		if err != nil {
			return err
		}
		if err := checks.Equal(string(delivery.Body), body); err != nil {
			return err
		}
	}
	return nil
}

var serveChecks = []checks.Check{
	{Claim: "a_consumer_of_a_higher_priority_is_served_first", Shows: func(ctx context.Context) error {
		return withArguments(nil, func(connection *amqp.Connection, channel *amqp.Channel, queue string) error {
			_, low, err := consumer(connection, queue, 0, nil)
			if err != nil {
				return err
			}
			_, high, err := consumer(connection, queue, 2, amqp.Table{"x-priority": int32(5)})
			if err != nil {
				return err
			}
			if err := publishAll(ctx, channel, queue, "1", "2", "3"); err != nil {
				return err
			}
			if err := expect(ctx, high, "1", "2"); err != nil {
				return err
			}
			return expect(ctx, low, "3")
		})
	}},
	{Claim: "a_single_active_consumer_hands_over_in_order_when_its_channel_closes", Shows: func(ctx context.Context) error {
		single := amqp.Table{"x-single-active-consumer": true}
		return withArguments(single, func(connection *amqp.Connection, channel *amqp.Channel, queue string) error {
			first, active, err := consumer(connection, queue, 2, nil)
			if err != nil {
				return err
			}
			_, waiting, err := consumer(connection, queue, 10, nil)
			if err != nil {
				return err
			}
			if err := publishAll(ctx, channel, queue, "1", "2", "3"); err != nil {
				return err
			}
			if err := expect(ctx, active, "1", "2"); err != nil {
				return err
			}
			select {
			case early := <-waiting:
				return fmt.Errorf("%s came to the one that waits", early.Body)
			case <-time.After(100 * time.Millisecond):
			}
			if err := first.Close(); err != nil {
				return err
			}
			return expect(ctx, waiting, "1", "2", "3")
		})
	}},
	{Claim: "messages_come_by_priority", Shows: func(ctx context.Context) error {
		ten := amqp.Table{"x-max-priority": int32(10)}
		return withArguments(ten, func(connection *amqp.Connection, channel *amqp.Channel, queue string) error {
			for _, priority := range []uint8{0, 9, 5, 200, 9} {
				message := amqp.Publishing{Priority: priority, Body: []byte(fmt.Sprint(priority))}
				if err := publish(ctx, channel, queue, message); err != nil {
					return err
				}
			}
			_, deliveries, err := consumer(connection, queue, 0, nil)
			if err != nil {
				return err
			}
			return expect(ctx, deliveries, "200", "9", "9", "5", "0")
		})
	}},
}
