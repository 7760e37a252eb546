package main

import (
	"context"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

var exchangeChecks = append([]checks.Check{
	{Claim: "a_consistent_hash_exchange_spreads_keys_and_keeps_equal_ones_together", Shows: func(ctx context.Context) error {
		return withBound(ctx, "x-consistent-hash", nil, "1", 4, func(channel *amqp.Channel, exchange string, queues []string) error {
			for index := 0; index < 200; index++ {
				key := fmt.Sprint("key-", index/2)
				if err := channel.PublishWithContext(ctx, exchange, key, true, false, amqp.Publishing{Body: []byte(key)}); err != nil {
					return err
				}
			}
			where := map[string]string{}
			for found := 0; found < 200; {
				for _, queue := range queues {
					message, ok, err := channel.Get(queue, true)
					if err != nil {
						return err
					}
					if !ok {
						continue
					}
					found++
					if other, known := where[string(message.Body)]; known && other != queue {
						return fmt.Errorf("%s is in %s and in %s", message.Body, other, queue)
					}
					where[string(message.Body)] = queue
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			used := map[string]bool{}
			for _, queue := range where {
				used[queue] = true
			}
			return checks.Equal(len(used), len(queues))
		})
	}},
}, ofSteleAlone...)

// RabbitMQ's package lacks these types.
var ofSteleAlone = onStele(checks.Check{
	Claim: "a_delayed_message_arrives_on_time_with_its_header_negated", Shows: func(ctx context.Context) error {
		arguments := amqp.Table{"x-delayed-type": "topic"}
		return withBound(ctx, "x-delayed-message", arguments, "a.*", 1, func(channel *amqp.Channel, exchange string, queues []string) error {
			deliveries, err := channel.Consume(queues[0], "", true, false, false, false, nil)
			if err != nil {
				return err
			}
			began := time.Now()
			for _, delay := range []interface{}{int64(600), 300.9, "150"} {
				message := amqp.Publishing{Headers: amqp.Table{"x-delay": delay}}
				if err := channel.PublishWithContext(ctx, exchange, "a.b", false, false, message); err != nil {
					return err
				}
			}
			for _, delay := range []int32{150, 300, 600} {
				select {
				case delivery := <-deliveries:
					// The server counts in whole milliseconds.
					if waited := time.Since(began); waited < time.Duration(delay-1)*time.Millisecond {
						return fmt.Errorf("%d ms after %v", delay, waited)
					}
					if err := checks.Equal(fmt.Sprint(delivery.Headers["x-delay"]), fmt.Sprint(-delay)); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}}, checks.Check{
	Claim: "a_local_random_exchange_uses_each_of_its_queues", Shows: func(ctx context.Context) error {
		return withBound(ctx, "x-local-random", nil, "", 2, func(channel *amqp.Channel, exchange string, queues []string) error {
			for _, queue := range queues {
				for got := false; !got; {
					err := channel.PublishWithContext(ctx, exchange, "", true, false, amqp.Publishing{})
					if err != nil {
						return err
					}
					if _, got, err = channel.Get(queue, true); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}})

func onStele(these ...checks.Check) []checks.Check {
	if os.Getenv("STELE") == "" {
		return nil
	}
	return these
}

// withBound provides an exchange with so many exclusive queues, each bound with the key.
func withBound(ctx context.Context, kind string, arguments amqp.Table, key string, count int, do func(*amqp.Channel, string, []string) error) error {
	return withChannel(func(channel *amqp.Channel) error {
		exchange := checks.Unique(kind)
		if err := channel.ExchangeDeclare(exchange, kind, false, true, false, false, arguments); err != nil {
			return err
		}
		queues := make([]string, count)
		for index := range queues {
			queue, err := channel.QueueDeclare("", false, false, true, false, nil)
			if err != nil {
				return err
			}
			queues[index] = queue.Name
			if err := channel.QueueBind(queue.Name, key, exchange, false, nil); err != nil {
				return err
			}
		}
		return do(channel, exchange, queues)
	})
}
