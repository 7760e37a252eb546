// The franz-go suite: `kafka [part of a claim]`, against KAFKA_ADDRESS.
package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stele/clients/checks"
)

var address = checks.Endpoint("KAFKA_ADDRESS", "127.0.0.1:9092")

func main() {
	all := slices.Concat(produceChecks, brokenChecks, consumeChecks, adminChecks)
	if !checks.OfPeers() {
		all = slices.Concat(all, brokenChecksOfStele, adminChecksOfStele)
	}
	checks.Run("franz-go", all)
}

// withClient provides a client and closes it afterwards.
func withClient(do func(*kgo.Client) error, options ...kgo.Opt) error {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(address)}, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

// withTopic provides a fresh topic and deletes it afterwards.
func withTopic(ctx context.Context, partitions int32, do func(topic string) error) error {
	return withClient(func(client *kgo.Client) error {
		admin, topic := kadm.NewClient(client), checks.Unique("topic")
		made, err := admin.CreateTopic(ctx, partitions, 1, nil, topic)
		if err != nil || made.Err != nil {
			return fmt.Errorf("create %s: %v %v", topic, err, made.Err)
		}
		known := func() (bool, error) {
			details, err := admin.ListTopics(ctx, topic)
			return err == nil && len(details[topic].Partitions) == int(partitions), nil
		}
		if err := checks.Eventually(ctx, known); err != nil {
			return err
		}
		err = do(topic)
		if _, deleted := admin.DeleteTopics(ctx, topic); err == nil {
			err = deleted
		}
		return err
	})
}

// produce sends the values and waits for every acknowledgement.
func produce(ctx context.Context, client *kgo.Client, topic string, values ...string) error {
	records := make([]*kgo.Record, len(values))
	for index, value := range values {
		records[index] = &kgo.Record{Topic: topic, Value: []byte(value)}
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// poll collects records until there are `count`.
func poll(ctx context.Context, client *kgo.Client, count int) ([]*kgo.Record, error) {
	var found []*kgo.Record
	for len(found) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return found, fmt.Errorf("after %d of %d records: %w", len(found), count, err)
		}
		found = append(found, fetches.Records()...)
	}
	return found, nil
}

func values(records []*kgo.Record) []string {
	texts := make([]string, len(records))
	for index, record := range records {
		texts[index] = string(record.Value)
	}
	return texts
}

func numbered(count int) []string {
	texts := make([]string, count)
	for index := range texts {
		texts[index] = fmt.Sprintf("value %d", index)
	}
	return texts
}
