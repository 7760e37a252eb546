package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// through passes the messages through the queues, and waits until all are delivered and confirmed.
func through(given settings) (result, error) {
	type outcome struct {
		begun, ended time.Time
		latencies    []time.Duration
		err          error
	}
	outcomes := make(chan outcome, 2*given.pairs)
	each := given.n / given.pairs
	ready := make(chan error, given.pairs)
	for pair := range given.pairs {
		queue := fmt.Sprintf("%s-%d", given.queue, pair)
		go func() {
			ended, err := consume(given, queue, each, ready)
			outcomes <- outcome{ended: ended, err: err}
		}()
	}
	for range given.pairs {
		if err := <-ready; err != nil {
			return result{}, err
		}
	}
	for pair := range given.pairs {
		queue := fmt.Sprintf("%s-%d", given.queue, pair)
		go func() {
			begun := time.Now()
			latencies, err := publish(given, queue, each)
			outcomes <- outcome{begun: begun, latencies: latencies, err: err}
		}()
	}
	var begun, ended time.Time
	var latencies []time.Duration
	limit := time.After(given.limit)
	for range 2 * given.pairs {
		select {
		case one := <-outcomes:
			if one.err != nil {
				return result{}, one.err
			}
			if begun.IsZero() || (!one.begun.IsZero() && one.begun.Before(begun)) {
				begun = one.begun
			}
			if one.ended.After(ended) {
				ended = one.ended
			}
			latencies = append(latencies, one.latencies...)
		case <-limit:
			return result{}, fmt.Errorf("not all messages have arrived after %v", given.limit)
		}
	}
	total := each * given.pairs
	measured := result{Messages: total, PerSecond: float64(total) / ended.Sub(begun).Seconds()}
	if len(latencies) > 0 {
		sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
		measured.P50 = quantile(latencies, 0.50)
		measured.P99 = quantile(latencies, 0.99)
	}
	return measured, nil
}

func quantile(sorted []time.Duration, part float64) *float64 {
	at := sorted[int(part*float64(len(sorted)-1))]
	ms := float64(at.Microseconds()) / 1000
	return &ms
}

// open makes a connection of its own, with a channel on which the queue is declared.
func open(given settings, queue string) (*amqp.Connection, *amqp.Channel, error) {
	connection, err := amqp.Dial(given.uri)
	if err != nil {
		return nil, nil, err
	}
	channel, err := connection.Channel()
	if err == nil {
		_, err = channel.QueueDeclare(queue, true, false, false, false, nil)
	}
	if err != nil {
		connection.Close()
	}
	return connection, channel, err
}

// consume takes n messages, and returns when the last one came.
func consume(given settings, queue string, n int, ready chan<- error) (time.Time, error) {
	connection, channel, err := open(given, queue)
	if err != nil {
		ready <- err
		return time.Time{}, err
	}
	defer connection.Close()
	if err := channel.Qos(given.window, 0, false); err != nil {
		ready <- err
		return time.Time{}, err
	}
	deliveries, err := channel.Consume(queue, "", given.transient, false, false, false, nil)
	ready <- err
	if err != nil {
		return time.Time{}, err
	}
	for taken := 1; taken <= n; taken++ {
		delivery, ok := <-deliveries
		if !ok {
			return time.Time{}, fmt.Errorf("the consumer of %s has ended", queue)
		}
		if !given.transient && (taken%given.ackEach == 0 || taken == n) {
			if err := delivery.Ack(true); err != nil {
				return time.Time{}, err
			}
		}
	}
	return time.Now(), nil
}

// publish sends n messages, and returns how long each confirm took; transient ones have none.
func publish(given settings, queue string, n int) ([]time.Duration, error) {
	connection, channel, err := open(given, queue)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx := context.Background()
	message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: make([]byte, given.size)}
	if given.transient {
		message.DeliveryMode = amqp.Transient
		for range n {
			if err := channel.PublishWithContext(ctx, "", queue, false, false, message); err != nil {
				return nil, err
			}
		}
		// The answer comes behind what was published.
		_, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, err
	}
	// Confirms come in order of the publishes.
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, given.window))
	sent := make(chan time.Time, given.window)
	latencies := make([]time.Duration, 0, n)
	confirmed := make(chan error, 1)
	go func() {
		for range n {
			confirm, ok := <-confirms
			if !ok || !confirm.Ack {
				confirmed <- fmt.Errorf("a message for %s was refused", queue)
				return
			}
			latencies = append(latencies, time.Since(<-sent))
		}
		confirmed <- nil
	}()
	for range n {
		select {
		case sent <- time.Now():
		case err := <-confirmed:
			return nil, err
		}
		if err := channel.PublishWithContext(ctx, "", queue, false, false, message); err != nil {
			return nil, err
		}
	}
	return latencies, <-confirmed
}
