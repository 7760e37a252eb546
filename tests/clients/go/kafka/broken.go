package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stele/clients/checks"
)

var brokenChecks = []checks.Check{
	{Claim: "a_broken_batch_is_refused_and_not_stored", Shows: brokenIsRefused},
}

// Consumers of other protocols would read what is stored in the queue.
var brokenChecksOfStele = []checks.Check{
	{Claim: "a_queue_that_is_sent_broken_batches_is_served", Shows: queueIsServed},
}

const (
	uncompressed = iota
	gzipped
	snappy
	lz4
	zstd
)

// batchAsHeld is a batch with a correct checksum, whatever its header says about its body.
func batchAsHeld(count int32, compression int16, body []byte) []byte {
	batch := kmsg.RecordBatch{
		// The size of what follows the length.
		Length:               int32(49 + len(body)),
		PartitionLeaderEpoch: -1,
		Magic:                2,
		Attributes:           compression,
		LastOffsetDelta:      count - 1,
		ProducerID:           -1,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           count,
		Records:              body,
	}
	const checksum, covered = 17, 21
	held := batch.AppendTo(nil)
	sum := crc32.Checksum(held[covered:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(held[checksum:], sum)
	return held
}

// body encodes that many small records, as in a batch.
func body(count int) []byte {
	var all []byte
	for delta := range count {
		record := kmsg.Record{OffsetDelta: int32(delta), Value: []byte("broken")}
		// The length is a varint of one byte, and counts what follows it.
		record.Length = int32(len(record.AppendTo(nil)) - 1)
		all = record.AppendTo(all)
	}
	return all
}

func compressed(records []byte) []byte {
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	// Neither can fail: they write to memory.
	_, _ = writer.Write(records)
	_ = writer.Close()
	return out.Bytes()
}

type brokenBatch struct {
	name string
	held []byte
}

func brokenBatches() []brokenBatch {
	one, two, garbage := body(1), body(2), bytes.Repeat([]byte{0xff}, 40)
	gzip := compressed(two)
	return []brokenBatch{
		{"more records in the header", batchAsHeld(3, uncompressed, one)},
		{"fewer records in the header", batchAsHeld(1, uncompressed, two)},
		{"a million records in the header", batchAsHeld(1_000_000, uncompressed, one)},
		{"no bytes under a million records", batchAsHeld(1_000_000, uncompressed, nil)},
		{"a body that isn't records", batchAsHeld(1, uncompressed, garbage)},
		{"a record that goes on beyond the body", batchAsHeld(1, uncompressed, one[:len(one)-2])},
		{"more records in the header, compressed", batchAsHeld(3, gzipped, gzip)},
		{"fewer records in the header, compressed", batchAsHeld(1, gzipped, gzip)},
		{"a million records in the header, compressed", batchAsHeld(1_000_000, gzipped, gzip)},
		{"a body that isn't records, compressed", batchAsHeld(1, gzipped, compressed(garbage))},
		{"a compressed body that is cut", batchAsHeld(2, gzipped, gzip[:len(gzip)/2])},
		{"a body that isn't gzip", batchAsHeld(1, gzipped, garbage)},
		{"a body that isn't snappy", batchAsHeld(1, snappy, garbage)},
		{"a body that isn't lz4", batchAsHeld(1, lz4, garbage)},
		{"a body that isn't zstd", batchAsHeld(1, zstd, garbage)},
	}
}

// sendRaw sends bytes as the batch of partition 0 and returns the error of the response.
func sendRaw(ctx context.Context, client *kgo.Client, topic string, held []byte) error {
	details, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = held
	asked := kmsg.NewProduceRequestTopic()
	asked.Topic, asked.TopicID = topic, details[topic].ID
	asked.Partitions = append(asked.Partitions, partition)
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 30_000
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
}

// sendBroken sends every broken batch, between two good records.
func sendBroken(ctx context.Context, client *kgo.Client, topic string) error {
	if err := sendRaw(ctx, client, topic, batchAsHeld(2, gzipped, compressed(body(2)))); err != nil {
		return fmt.Errorf("a good batch: %w", err)
	}
	for _, batch := range brokenBatches() {
		err := sendRaw(ctx, client, topic, batch.held)
		// Kafka has no error for what it can't decode, and reports an unknown server error.
		ofKafka := checks.OfPeers() && errors.Is(err, kerr.UnknownServerError)
		if !errors.Is(err, kerr.InvalidRecord) && !ofKafka {
			return fmt.Errorf("%s: answered with %v", batch.name, err)
		}
	}
	return produce(ctx, client, topic, "after")
}

var sentBetween = []string{"broken", "broken", "after"}

func brokenIsRefused(ctx context.Context) error {
	return withTopic(ctx, 1, func(topic string) error {
		return withClient(func(client *kgo.Client) error {
			if err := sendBroken(ctx, client, topic); err != nil {
				return err
			}
			found, err := poll(ctx, client, len(sentBetween))
			if err != nil {
				return err
			}
			if err := checks.Equal(found[len(found)-1].Offset, int64(len(sentBetween)-1)); err != nil {
				return err
			}
			return checks.Equal(values(found), sentBetween)
		}, kgo.ConsumeTopics(topic))
	})
}

// queueIsServed lets a consumer wait while the batches arrive. It acknowledges nothing, so its messages
// go to SQS when its connection ends.
func queueIsServed(ctx context.Context) error {
	connection, err := amqp.Dial("amqp://guest:guest@" + checks.Endpoint("AMQP_ADDRESS", "127.0.0.1:5672") + "/")
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	queue, err := channel.QueueDeclare(checks.Unique("queue"), true, false, false, false, nil)
	if err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue.Name, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	if err := withClient(func(client *kgo.Client) error { return sendBroken(ctx, client, queue.Name) }); err != nil {
		return err
	}
	consumed := make([]string, len(sentBetween))
	for index := range consumed {
		select {
		case delivery := <-deliveries:
			consumed[index] = string(delivery.Body)
		case <-ctx.Done():
			return fmt.Errorf("consumed only %v: %w", consumed[:index], ctx.Err())
		}
	}
	if err := checks.Equal(consumed, sentBetween); err != nil {
		return err
	}
	if err := connection.Close(); err != nil {
		return err
	}
	return receivedAndDeleted(ctx, queue.Name)
}

func receivedAndDeleted(ctx context.Context, queue string) error {
	client := sqs.New(sqs.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(checks.Endpoint("SQS_URL", "http://127.0.0.1:9324")),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		return err
	}
	var bodies []string
	for len(bodies) < len(sentBetween) {
		answer, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: found.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		})
		if err != nil {
			return fmt.Errorf("received only %v: %w", bodies, err)
		}
		for _, message := range answer.Messages {
			bodies = append(bodies, *message.Body)
		}
	}
	if err := checks.Equal(bodies, sentBetween); err != nil {
		return err
	}
	_, err = client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: found.QueueUrl})
	return err
}
