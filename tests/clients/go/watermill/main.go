// The Watermill suite: `watermill [part of a claim]`, against AMQP_ADDRESS.
package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"stele/clients/checks"
)

var uri = "amqp://guest:guest@" + checks.Endpoint("AMQP_ADDRESS", "127.0.0.1:5672") + "/"

func main() {
	checks.Run("watermill", []checks.Check{
		{Claim: "each_group_of_subscribers_gets_every_message_once", Shows: groups},
		{Claim: "a_message_that_is_refused_comes_again", Shows: refused},
		{Claim: "publishers_confirm_or_commit", Shows: confirmed},
		{Claim: "a_router_retries_and_sets_aside_what_keeps_failing", Shows: poisoned},
	})
}

// pubSub publishes to an exchange for each topic; each group has a queue. They end with their users.
func pubSub(group string) amqp.Config {
	config := amqp.NewDurablePubSubConfig(uri, amqp.GenerateQueueNameTopicNameWithSuffix(group))
	config.Queue.AutoDelete = true
	config.Exchange.AutoDeleted = true
	return config
}

// queues publishes to a queue for each topic.
func queues() amqp.Config {
	config := amqp.NewDurableQueueConfig(uri)
	config.Queue.AutoDelete = true
	return config
}

func publish(config amqp.Config, topic string, bodies ...string) error {
	publisher, err := amqp.NewPublisher(config, watermill.NopLogger{})
	if err != nil {
		return err
	}
	defer publisher.Close()
	for _, body := range bodies {
		if err := publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte(body))); err != nil {
			return err
		}
	}
	return nil
}

// subscribe provides the messages of a topic until the subscriber is closed.
func subscribe(ctx context.Context, config amqp.Config, topic string) (*amqp.Subscriber, <-chan *message.Message, error) {
	subscriber, err := amqp.NewSubscriber(config, watermill.NopLogger{})
	if err != nil {
		return nil, nil, err
	}
	messages, err := subscriber.Subscribe(ctx, topic)
	return subscriber, messages, err
}

// take acknowledges so many messages and returns their bodies in order of arrival.
func take(ctx context.Context, messages <-chan *message.Message, count int) ([]string, error) {
	var bodies []string
	for len(bodies) < count {
		select {
		case one := <-messages:
			bodies = append(bodies, string(one.Payload))
			one.Ack()
		case <-ctx.Done():
			return nil, fmt.Errorf("after %d of %d messages: %w", len(bodies), count, ctx.Err())
		}
	}
	return bodies, nil
}

func numbers(count int) []string {
	texts := make([]string, count)
	for number := range texts {
		texts[number] = strconv.Itoa(number)
	}
	return texts
}

func groups(ctx context.Context) error {
	topic := checks.Unique("topic")
	first, firsts, err := subscribe(ctx, pubSub("first"), topic)
	if err != nil {
		return err
	}
	defer first.Close()
	second, seconds, err := subscribe(ctx, pubSub("second"), topic)
	if err != nil {
		return err
	}
	defer second.Close()
	another, others, err := subscribe(ctx, pubSub("second"), topic)
	if err != nil {
		return err
	}
	defer another.Close()
	if err := publish(pubSub(""), topic, numbers(100)...); err != nil {
		return err
	}
	found, err := take(ctx, firsts, 100)
	if err != nil {
		return err
	}
	if err := checks.Equal(found, numbers(100)); err != nil {
		return err
	}
	shared := make(chan *message.Message)
	for _, each := range []<-chan *message.Message{seconds, others} {
		go func() {
			for one := range each {
				shared <- one
			}
		}()
	}
	found, err = take(ctx, shared, 100)
	if err != nil {
		return err
	}
	expected := numbers(100)
	sort.Strings(found)
	sort.Strings(expected)
	return checks.Equal(found, expected)
}

func refused(ctx context.Context) error {
	topic := checks.Unique("queue")
	subscriber, messages, err := subscribe(ctx, queues(), topic)
	if err != nil {
		return err
	}
	defer subscriber.Close()
	if err := publish(queues(), topic, "a", "b"); err != nil {
		return err
	}
	for range 3 {
		select {
		case one := <-messages:
			if err := checks.Equal(string(one.Payload), "a"); err != nil {
				return err
			}
			one.Nack()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	found, err := take(ctx, messages, 2)
	if err != nil {
		return err
	}
	return checks.Equal(found, []string{"a", "b"})
}

func confirmed(ctx context.Context) error {
	confirms, transactions := queues(), queues()
	confirms.Publish.ConfirmDelivery = true
	confirms.Publish.ChannelPoolSize = 5
	transactions.Publish.Transactional = true
	for _, config := range []amqp.Config{confirms, transactions} {
		topic := checks.Unique("queue")
		subscriber, messages, err := subscribe(ctx, config, topic)
		if err != nil {
			return err
		}
		defer subscriber.Close()
		if err := publish(config, topic, "a", "b", "c"); err != nil {
			return err
		}
		found, err := take(ctx, messages, 3)
		if err != nil {
			return err
		}
		sort.Strings(found)
		if err := checks.Equal(found, []string{"a", "b", "c"}); err != nil {
			return err
		}
	}
	return nil
}

func poisoned(ctx context.Context) error {
	work, poison := checks.Unique("work"), checks.Unique("poison")
	publisher, err := amqp.NewPublisher(queues(), watermill.NopLogger{})
	if err != nil {
		return err
	}
	defer publisher.Close()
	worker, err := amqp.NewSubscriber(queues(), watermill.NopLogger{})
	if err != nil {
		return err
	}
	aside, letters, err := subscribe(ctx, queues(), poison)
	if err != nil {
		return err
	}
	defer aside.Close()
	setAside, err := middleware.PoisonQueue(publisher, poison)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	defer router.Close()
	retry := middleware.Retry{MaxRetries: 2, InitialInterval: 10 * time.Millisecond}
	router.AddMiddleware(setAside, retry.Middleware)
	tries := make(chan string, 10)
	router.AddNoPublisherHandler("failing", work, worker, func(one *message.Message) error {
		tries <- string(one.Payload)
		return errors.New("can't")
	})
	go func() { _ = router.Run(ctx) }()
	<-router.Running()
	if err := publisher.Publish(work, message.NewMessage(watermill.NewUUID(), []byte("order"))); err != nil {
		return err
	}
	select {
	case letter := <-letters:
		defer letter.Ack()
		if err := checks.Equal(string(letter.Payload), "order"); err != nil {
			return err
		}
		if err := checks.Equal(letter.Metadata.Get(middleware.ReasonForPoisonedKey), "can't"); err != nil {
			return err
		}
		return checks.Equal(len(tries), 3)
	case <-ctx.Done():
		return ctx.Err()
	}
}
