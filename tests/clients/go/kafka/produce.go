package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"stele/clients/checks"
)

var produceChecks = []checks.Check{
	{Claim: "values_come_back_in_order", Shows: func(ctx context.Context) error {
		return roundTrip(ctx, numbered(1000))
	}},
	{Claim: "every_compression_passes_through", Shows: func(ctx context.Context) error {
		codecs := []kgo.CompressionCodec{
			kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
		}
		for index, codec := range codecs {
			if err := roundTrip(ctx, numbered(500), kgo.ProducerBatchCompression(codec)); err != nil {
				return fmt.Errorf("codec %d: %w", index, err)
			}
		}
		return nil
	}},
	{Claim: "every_acknowledgement_level_delivers", Shows: func(ctx context.Context) error {
		for _, level := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
			if err := roundTrip(ctx, numbered(10), kgo.RequiredAcks(level), kgo.DisableIdempotentWrite()); err != nil {
				return err
			}
		}
		return nil
	}},
	{Claim: "keys_headers_and_absent_values_come_back", Shows: keysAndHeaders},
	{Claim: "an_unknown_topic_is_made_when_the_client_allows_it", Shows: func(ctx context.Context) error {
		topic := checks.Unique("auto")
		return withClient(func(client *kgo.Client) error {
			if err := produce(ctx, client, topic, "first"); err != nil {
				return err
			}
			found, err := poll(ctx, client, 1)
			if err != nil {
				return err
			}
			return checks.Equal(values(found), []string{"first"})
		}, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20), kgo.ConsumeTopics(topic))
	}},
	{Claim: "concurrent_idempotent_producers_lose_and_double_nothing", Shows: concurrentProducers},
}

func roundTrip(ctx context.Context, texts []string, options ...kgo.Opt) error {
	return withTopic(ctx, 1, func(topic string) error {
		return withClient(func(client *kgo.Client) error {
			if err := produce(ctx, client, topic, texts...); err != nil {
				return err
			}
			found, err := poll(ctx, client, len(texts))
			if err != nil {
				return err
			}
			for index, record := range found {
				if record.Offset != int64(index) {
					return fmt.Errorf("record %d has offset %d", index, record.Offset)
				}
			}
			return checks.Equal(values(found), texts)
		}, append(options, kgo.ConsumeTopics(topic))...)
	})
}

func keysAndHeaders(ctx context.Context) error {
	return withTopic(ctx, 1, func(topic string) error {
		return withClient(func(client *kgo.Client) error {
			headers := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}}
			sent := []*kgo.Record{
				{Topic: topic, Key: []byte("key"), Value: []byte("value"), Headers: headers},
				{Topic: topic, Key: []byte("tombstone")},
			}
			if err := client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
				return err
			}
			found, err := poll(ctx, client, 2)
			if err != nil {
				return err
			}
			if found[1].Value != nil {
				return fmt.Errorf("an absent value came back as %q", found[1].Value)
			}
			if err := checks.Equal(string(found[0].Key), "key"); err != nil {
				return err
			}
			return checks.Equal(found[0].Headers, headers)
		}, kgo.ConsumeTopics(topic))
	})
}

func concurrentProducers(ctx context.Context) error {
	const producers, each = 6, 300
	return withTopic(ctx, 1, func(topic string) error {
		var group sync.WaitGroup
		errors := make(chan error, producers)
		for producer := range producers {
			group.Add(1)
			go func() {
				defer group.Done()
				errors <- withClient(func(client *kgo.Client) error {
					for number := range each {
						if err := produce(ctx, client, topic, fmt.Sprintf("%d:%d", producer, number)); err != nil {
							return err
						}
					}
					return nil
				})
			}()
		}
		group.Wait()
		close(errors)
		for err := range errors {
			if err != nil {
				return err
			}
		}
		return withClient(func(client *kgo.Client) error {
			found, err := poll(ctx, client, producers*each)
			if err != nil {
				return err
			}
			next := make([]int, producers)
			for _, record := range found {
				var producer, number int
				if _, err := fmt.Sscanf(string(record.Value), "%d:%d", &producer, &number); err != nil {
					return err
				}
				if number != next[producer] {
					return fmt.Errorf("producer %d: expected %d, found %d", producer, next[producer], number)
				}
				next[producer]++
			}
			return nil
		}, kgo.ConsumeTopics(topic))
	})
}
