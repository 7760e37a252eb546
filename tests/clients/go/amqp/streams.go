package main

import (
	"context"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

const streamMessages = 20

// withStream provides a channel in confirm mode with a prefetch count of 3, and a fresh stream of the numbers
// from 0, which is deleted afterwards.
func withStream(ctx context.Context, do func(*amqp.Channel, string) error) error {
	return withChannel(func(channel *amqp.Channel) error {
		arguments := amqp.Table{"x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": int64(1 << 30)}
		queue, err := channel.QueueDeclare(checks.Unique("stream"), true, false, false, false, arguments)
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
		for number := range streamMessages {
			if err := publishAll(ctx, channel, queue.Name, strconv.Itoa(number)); err != nil {
				return err
			}
		}
		if err := channel.Qos(3, 0, false); err != nil {
			return err
		}
		return do(channel, queue.Name)
	})
}

// reads expects the numbers from `first` to the end, each with its offset, and acknowledges them.
func reads(ctx context.Context, channel *amqp.Channel, stream string, offset any, first int) error {
	arguments := amqp.Table{"x-stream-offset": offset}
	deliveries, err := channel.Consume(stream, stream, false, false, false, false, arguments)
	if err != nil {
		return err
	}
	for number := first; number < streamMessages; number++ {
		delivery, err := next(ctx, deliveries)
		if err != nil {
			return err
		}
		if err := checks.Equal(string(delivery.Body), strconv.Itoa(number)); err != nil {
			return err
		}
		if err := checks.Equal(delivery.Headers["x-stream-offset"], any(int64(number))); err != nil {
			return err
		}
		if err := delivery.Ack(false); err != nil {
			return err
		}
	}
	return channel.Cancel(stream, false)
}

var streamChecks = []checks.Check{
	{Claim: "a_stream_is_read_from_any_offset_again_and_again", Shows: func(ctx context.Context) error {
		return withStream(ctx, func(channel *amqp.Channel, stream string) error {
			offsets := []struct {
				offset any
				first  int
			}{{"first", 0}, {int64(7), 7}, {int32(0), 0}, {"1h", 0}, {"first", 0}}
			for _, start := range offsets {
				if err := reads(ctx, channel, stream, start.offset, start.first); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{Claim: "a_wrong_offset_is_406", Shows: func(ctx context.Context) error {
		return withStream(ctx, func(channel *amqp.Channel, stream string) error {
			return refused(reads(ctx, channel, stream, "1x", 0), amqp.PreconditionFailed)
		})
	}},
}
