package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const poll = 2 * time.Millisecond

// load is one run: a channel, and the queue whose messages die.
type load struct {
	settings
	channel *amqp.Channel
	dead    string
}

// die fills a durable queue with a dead-letter exchange, lets all messages die, and returns the time
// until they are all in the dead-letter queue. With `reject` a consumer rejects each of them, and
// the time begins with its first delivery; with `expire` all expire at the same moment, at which it
// begins.
func die(given settings, verb string) (time.Duration, error) {
	connection, err := amqp.Dial(given.uri)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return 0, err
	}
	l := &load{settings: given, channel: channel, dead: given.queue + "-dead"}
	if err := l.declare(); err != nil {
		return 0, err
	}
	switch verb {
	case "reject":
		if err := l.fill(time.Time{}); err != nil {
			return 0, err
		}
		return l.reject(connection)
	case "expire":
		// Long enough to publish them all.
		deadline := time.Now().Add(5*time.Second + time.Duration(given.n)*200*time.Microsecond)
		if err := l.fill(deadline); err != nil {
			return 0, err
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("publishing took longer than the messages live")
		}
		time.Sleep(time.Until(deadline))
		return l.awaitAll(deadline)
	}
	return 0, fmt.Errorf("reject or expire, not %q", verb)
}

func (l *load) declare() error {
	if err := l.channel.ExchangeDeclare(l.dead, "fanout", true, false, false, false, nil); err != nil {
		return err
	}
	arguments := amqp.Table{"x-dead-letter-exchange": l.dead}
	if _, err := l.channel.QueueDeclare(l.queue, true, false, false, false, arguments); err != nil {
		return err
	}
	if _, err := l.channel.QueueDeclare(l.dead, true, false, false, false, nil); err != nil {
		return err
	}
	return l.channel.QueueBind(l.dead, "", l.dead, false, nil)
}

// fill publishes all messages, and returns when they are confirmed. With a deadline all of them
// expire then.
func (l *load) fill(deadline time.Time) error {
	if err := l.channel.Confirm(false); err != nil {
		return err
	}
	body := make([]byte, l.size)
	var open []*amqp.DeferredConfirmation
	for range l.n {
		message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body}
		if !deadline.IsZero() {
			message.Expiration = strconv.FormatInt(time.Until(deadline).Milliseconds(), 10)
		}
		ctx := context.Background()
		confirm, err := l.channel.PublishWithDeferredConfirmWithContext(ctx, "", l.queue, false, false, message)
		if err != nil {
			return err
		}
		open = append(open, confirm)
		if len(open) == l.window {
			open[0].Wait()
			open = open[1:]
		}
	}
	for _, confirm := range open {
		if !confirm.Wait() {
			return fmt.Errorf("a message was refused")
		}
	}
	return nil
}

// reject consumes everything on a channel of its own.
func (l *load) reject(connection *amqp.Connection) (time.Duration, error) {
	channel, err := connection.Channel()
	if err != nil {
		return 0, err
	}
	if err := channel.Qos(l.window, 0, false); err != nil {
		return 0, err
	}
	deliveries, err := channel.Consume(l.queue, "", false, false, false, false, nil)
	if err != nil {
		return 0, err
	}
	var begun time.Time
	for range l.n {
		delivery, ok := <-deliveries
		if !ok {
			return 0, fmt.Errorf("the consumer has ended")
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		if err := delivery.Reject(false); err != nil {
			return 0, err
		}
	}
	return l.awaitAll(begun)
}

// awaitAll returns how long it took since `begun` until the dead-letter queue has all messages.
func (l *load) awaitAll(begun time.Time) (time.Duration, error) {
	for time.Since(begun) < l.limit {
		state, err := l.channel.QueueDeclarePassive(l.dead, true, false, false, false, nil)
		if err != nil {
			return 0, err
		}
		if state.Messages >= l.n {
			return time.Since(begun), nil
		}
		time.Sleep(poll)
	}
	return 0, fmt.Errorf("not all messages have arrived after %v", l.limit)
}
