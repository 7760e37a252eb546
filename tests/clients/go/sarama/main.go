// The sarama suite: `sarama [part of a claim]`, against KAFKA_ADDRESS. This version of the client
// doesn't set a batch's latest timestamp.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"stele/clients/checks"
)

var address = checks.Endpoint("KAFKA_ADDRESS", "127.0.0.1:9092")

func main() {
	checks.Run("sarama", []checks.Check{
		{Claim: "values_come_back_in_order", Shows: func(ctx context.Context) error {
			return withTopic(ctx, func(client sarama.Client, topic string) error {
				if _, err := produce(client, topic, time.Now(), "a", "b", "c"); err != nil {
					return err
				}
				found, err := read(ctx, client, topic, 3)
				if err != nil {
					return err
				}
				return checks.Equal(found, []string{"a", "b", "c"})
			})
		}},
		{Claim: "records_are_found_by_their_own_times", Shows: foundByTime},
		{Claim: "compressed_records_are_found_by_their_own_times", Shows: compressedFoundByTime},
		{Claim: "an_idempotent_producer_goes_on_in_a_topic_made_anew", Shows: topicMadeAnew},
	})
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	return config
}

// withTopic provides a client and a fresh topic, and deletes the topic afterwards.
func withTopic(ctx context.Context, do func(client sarama.Client, topic string) error) error {
	return withTopicOf(ctx, settings(), do)
}

func withTopicOf(ctx context.Context, config *sarama.Config, do func(client sarama.Client, topic string) error) error {
	client, err := sarama.NewClient([]string{address}, config)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := checks.Unique("topic")
	if err := create(ctx, client, topic); err != nil {
		return err
	}
	if err := do(client, topic); err != nil {
		return err
	}
	return remove(client, topic)
}

func create(ctx context.Context, client sarama.Client, topic string) error {
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		return err
	}
	return checks.Eventually(ctx, func() (bool, error) {
		return client.RefreshMetadata(topic) == nil, nil
	})
}

func remove(client sarama.Client, topic string) error {
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	return admin.DeleteTopic(topic)
}

// produce sends the values, dated one millisecond apart from `first` on, and returns the offset of the first.
func produce(client sarama.Client, topic string, first time.Time, values ...string) (int64, error) {
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return 0, err
	}
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(values))
	for index, value := range values {
		messages[index] = &sarama.ProducerMessage{
			Topic: topic, Value: sarama.StringEncoder(value), Timestamp: first.Add(time.Duration(index) * time.Millisecond),
		}
	}
	if err := producer.SendMessages(messages); err != nil {
		return 0, err
	}
	return messages[0].Offset, nil
}

// read returns the values of the topic from its beginning.
func read(ctx context.Context, client sarama.Client, topic string, count int) ([]string, error) {
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	var found []string
	for len(found) < count {
		select {
		case message := <-partition.Messages():
			found = append(found, string(message.Value))
		case <-ctx.Done():
			return found, fmt.Errorf("after %d of %d records: %w", len(found), count, ctx.Err())
		}
	}
	return found, nil
}

func foundByTime(ctx context.Context) error {
	return withTopic(ctx, findEach)
}

func compressedFoundByTime(ctx context.Context) error {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for _, codec := range codecs {
		config := settings()
		config.Producer.Compression = codec
		if err := withTopicOf(ctx, config, findEach); err != nil {
			return fmt.Errorf("%v: %w", codec, err)
		}
	}
	return nil
}

func findEach(client sarama.Client, topic string) error {
	first := time.Now().Truncate(time.Millisecond)
	if _, err := produce(client, topic, first, "a", "b", "c"); err != nil {
		return err
	}
	for index := range int64(3) {
		offset, err := client.GetOffset(topic, 0, first.UnixMilli()+index)
		if err != nil {
			return err
		}
		if err := checks.Equal(offset, index); err != nil {
			return err
		}
	}
	return nil
}

// The broker no longer knows the producer, which continues with its sequence numbers.
func topicMadeAnew(ctx context.Context) error {
	config := settings()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	return withTopicOf(ctx, config, func(client sarama.Client, topic string) error {
		producer, err := sarama.NewSyncProducerFromClient(client)
		if err != nil {
			return err
		}
		defer producer.Close()
		sendAll := func() error {
			for _, value := range []string{"a", "b", "c"} {
				message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}
				if _, _, err := producer.SendMessage(message); err != nil {
					return err
				}
			}
			return nil
		}
		if err := sendAll(); err != nil {
			return err
		}
		if err := remove(client, topic); err != nil {
			return err
		}
		if err := create(ctx, client, topic); err != nil {
			return err
		}
		if err := sendAll(); err != nil {
			return err
		}
		found, err := read(ctx, client, topic, 3)
		if err != nil {
			return err
		}
		return checks.Equal(found, []string{"a", "b", "c"})
	})
}
