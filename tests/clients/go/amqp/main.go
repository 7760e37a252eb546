// The amqp091-go suite: `amqp [part of a claim]`, against AMQP_ADDRESS.
package main

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

var url = "amqp://guest:guest@" + checks.Endpoint("AMQP_ADDRESS", "127.0.0.1:5672") + "/"

func main() {
	checks.Run("amqp091-go", append(append(publishChecks, consumeChecks...), serveChecks...))
}

// withChannel provides a channel on a separate connection.
func withChannel(do func(*amqp.Channel) error) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	return do(channel)
}

// withQueue provides a channel in confirm mode and a fresh durable queue, which is deleted afterwards.
func withQueue(do func(*amqp.Channel, string) error) error {
	return withChannel(func(channel *amqp.Channel) error {
		queue, err := channel.QueueDeclare(checks.Unique("queue"), true, false, false, false, nil)
		if err != nil {
			return err
		}
		defer withChannel(func(cleaner *amqp.Channel) error {
			_, err := cleaner.QueueDelete(queue.Name, false, false, false)
			return err
		})
		if err := channel.Confirm(false); err != nil {
			return err
		}
		return do(channel, queue.Name)
	})
}

// publish sends one persistent message to the queue and waits for its confirm.
func publish(ctx context.Context, channel *amqp.Channel, queue string, message amqp.Publishing) error {
	message.DeliveryMode = amqp.Persistent
	confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, message)
	if err != nil {
		return err
	}
	taken, err := confirm.WaitContext(ctx)
	if err == nil && !taken {
		err = errors.New("the broker refused the message")
	}
	return err
}

// publishAll publishes the texts in order.
func publishAll(ctx context.Context, channel *amqp.Channel, queue string, texts ...string) error {
	for _, text := range texts {
		if err := publish(ctx, channel, queue, amqp.Publishing{Body: []byte(text)}); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a delivery.
func next(ctx context.Context, deliveries <-chan amqp.Delivery) (amqp.Delivery, error) {
	select {
	case delivery, open := <-deliveries:
		if !open {
			return delivery, errors.New("the consumer was closed")
		}
		return delivery, nil
	case <-ctx.Done():
		return amqp.Delivery{}, ctx.Err()
	}
}

// refused reports whether the error is from the broker, with that code.
func refused(err error, code int) error {
	var given *amqp.Error
	if !errors.As(err, &given) || given.Code != code {
		return fmt.Errorf("expected error %d, found %v", code, err)
	}
	return nil
}
