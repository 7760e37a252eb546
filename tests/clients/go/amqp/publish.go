package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"stele/clients/checks"
)

var publishChecks = []checks.Check{
	{Claim: "every_publish_is_confirmed_in_turn", Shows: func(ctx context.Context) error {
		return withQueue(func(channel *amqp.Channel, queue string) error {
			confirms := make([]*amqp.DeferredConfirmation, 500)
			for index := range confirms {
				var err error
				confirms[index], err = channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false,
					amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("x")})
				if err != nil {
					return err
				}
			}
			for index, confirm := range confirms {
				if taken, err := confirm.WaitContext(ctx); err != nil || !taken || confirm.DeliveryTag != uint64(index+1) {
					return fmt.Errorf("confirm %d: taken %v, tag %d, %v", index, taken, confirm.DeliveryTag, err)
				}
			}
			return nil
		})
	}},
	{Claim: "a_mandatory_message_that_nothing_takes_comes_back", Shows: func(ctx context.Context) error {
		return withChannel(func(channel *amqp.Channel) error {
			returns := channel.NotifyReturn(make(chan amqp.Return, 1))
			key := checks.Unique("absent")
			if err := channel.PublishWithContext(ctx, "", key, true, false, amqp.Publishing{Body: []byte("back")}); err != nil {
				return err
			}
			select {
			case returned := <-returns:
				return checks.Equal(fmt.Sprint(returned.ReplyCode, returned.RoutingKey, string(returned.Body)), fmt.Sprint(312, key, "back"))
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}},
	{Claim: "properties_and_nested_headers_come_back", Shows: func(ctx context.Context) error {
		sent := amqp.Publishing{
			Headers: amqp.Table{
				"text": "grün", "bytes": []byte{0, 255}, "yes": true, "int8": int8(-1), "int16": int16(-2), "int32": int32(-3),
				"int64": int64(-4), "float": float32(1.5), "double": 2.5, "decimal": amqp.Decimal{Scale: 2, Value: 1234},
				"time": time.Unix(1700000000, 0), "nothing": nil, "list": []interface{}{"a", int32(1), amqp.Table{"deep": "yes"}},
				"table": amqp.Table{"a": amqp.Table{"b": "c"}},
			},
			ContentType: "application/json", ContentEncoding: "utf-8", Priority: 3, CorrelationId: "c", ReplyTo: "r",
			MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "a",
		}
		return withQueue(func(channel *amqp.Channel, queue string) error {
			if err := publish(ctx, channel, queue, sent); err != nil {
				return err
			}
			found, ok, err := channel.Get(queue, true)
			if err != nil || !ok {
				return fmt.Errorf("got %v, %v", ok, err)
			}
			if !reflect.DeepEqual(found.Headers, sent.Headers) {
				return fmt.Errorf("expected %#v, found %#v", sent.Headers, found.Headers)
			}
			back := amqp.Publishing{
				Headers: sent.Headers, ContentType: found.ContentType, ContentEncoding: found.ContentEncoding, Priority: found.Priority,
				CorrelationId: found.CorrelationId, ReplyTo: found.ReplyTo, MessageId: found.MessageId, Timestamp: found.Timestamp,
				Type: found.Type, UserId: found.UserId, AppId: found.AppId,
			}
			if !reflect.DeepEqual(back, sent) {
				return fmt.Errorf("expected %#v, found %#v", sent, back)
			}
			return nil
		})
	}},
	{Claim: "a_large_body_comes_back_whole", Shows: func(ctx context.Context) error {
		body := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
		return withQueue(func(channel *amqp.Channel, queue string) error {
			if err := publish(ctx, channel, queue, amqp.Publishing{Body: body}); err != nil {
				return err
			}
			found, ok, err := channel.Get(queue, true)
			if err != nil || !ok || !bytes.Equal(found.Body, body) {
				return fmt.Errorf("got %v, %d bytes, %v", ok, len(found.Body), err)
			}
			return nil
		})
	}},
	{Claim: "every_kind_of_exchange_routes", Shows: everyExchange},
	{Claim: "an_absent_exchange_closes_the_channel_as_404", Shows: func(ctx context.Context) error {
		return withChannel(func(channel *amqp.Channel) error {
			closed := channel.NotifyClose(make(chan *amqp.Error, 1))
			if err := channel.PublishWithContext(ctx, checks.Unique("absent"), "", false, false, amqp.Publishing{}); err != nil {
				return err
			}
			select {
			case err := <-closed:
				return refused(err, amqp.NotFound)
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}},
}

func everyExchange(ctx context.Context) error {
	return withQueue(func(channel *amqp.Channel, queue string) error {
		for number, kind := range []string{"direct", "fanout", "topic", "headers"} {
			exchange := checks.Unique(kind)
			if err := channel.ExchangeDeclare(exchange, kind, false, true, false, false, nil); err != nil {
				return err
			}
			wanted := amqp.Table{"x-match": "all", "kind": kind}
			if err := channel.QueueBind(queue, "the.key", exchange, false, wanted); err != nil {
				return err
			}
			confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, exchange, "the.key", true, false,
				amqp.Publishing{Headers: amqp.Table{"kind": kind}, Body: []byte(kind)})
			if err != nil {
				return err
			}
			if taken, err := confirm.WaitContext(ctx); err != nil || !taken {
				return fmt.Errorf("%s: %v %v", kind, taken, err)
			}
			found, ok, err := channel.Get(queue, true)
			if err != nil || !ok || string(found.Body) != kind || found.Exchange != exchange {
				return fmt.Errorf("%s, number %d: got %v %q by %q, %v", kind, number, ok, found.Body, found.Exchange, err)
			}
		}
		return nil
	})
}
