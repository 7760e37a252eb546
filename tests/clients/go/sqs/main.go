// The AWS SDK for Go suite: `sqs [part of a claim]`, against SQS_URL.
package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"stele/clients/checks"
)

// The SDK checks the MD5 of every body and attribute that it sends and receives.
var client = sqs.New(sqs.Options{
	Region:           "us-east-1",
	BaseEndpoint:     aws.String(checks.Endpoint("SQS_URL", "http://127.0.0.1:9324")),
	Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
	RetryMaxAttempts: 1,
})

func main() {
	checks.Run("aws-sdk-go", []checks.Check{
		{Claim: "a_message_with_attributes_comes_back", Shows: messageWithAttributes},
		{Claim: "an_absent_queue_is_the_modelled_error", Shows: absentQueue},
		{Claim: "a_batch_is_sent_received_and_deleted", Shows: batch},
		{Claim: "a_fifo_group_comes_in_order", Shows: fifoOrder},
		{Claim: "a_long_poll_wakes_up", Shows: longPoll},
		{Claim: "queues_are_listed_by_page", Shows: listed},
		{Claim: "a_dead_letter_is_moved_back", Shows: deadLetter},
	})
}

// withQueue provides the URL of a fresh queue and deletes the queue afterwards.
func withQueue(ctx context.Context, suffix string, attributes map[string]string, do func(url *string) error) error {
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(checks.Unique("queue") + suffix), Attributes: attributes,
	})
	if err != nil {
		return err
	}
	defer client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	return do(made.QueueUrl)
}

// receive polls until `count` messages have arrived, and deletes them.
func receive(ctx context.Context, url *string, count int) ([]types.Message, error) {
	var found []types.Message
	for len(found) < count {
		answer, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		if err != nil {
			return nil, err
		}
		found = append(found, answer.Messages...)
		for _, message := range answer.Messages {
			_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: message.ReceiptHandle})
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func messageWithAttributes(ctx context.Context) error {
	return withQueue(ctx, "", nil, func(url *string) error {
		body, sum := "grün & <b>", md5.Sum([]byte("grün & <b>"))
		sent, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				"kind": {DataType: aws.String("String"), StringValue: aws.String("order")},
				"blob": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
			}})
		if err != nil {
			return err
		}
		if err := checks.Equal(*sent.MD5OfMessageBody, hex.EncodeToString(sum[:])); err != nil {
			return err
		}
		found, err := receive(ctx, url, 1)
		if err != nil {
			return err
		}
		if err := checks.Equal(found[0].MessageAttributes["blob"].BinaryValue, []byte{0, 1, 255}); err != nil {
			return err
		}
		return checks.Equal([]string{*found[0].Body, *found[0].MessageId, found[0].Attributes["ApproximateReceiveCount"]},
			[]string{body, *sent.MessageId, "1"})
	})
}

func absentQueue(ctx context.Context) error {
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(checks.Unique("absent"))})
	var modelled *types.QueueDoesNotExist
	if !errors.As(err, &modelled) {
		return fmt.Errorf("expected QueueDoesNotExist, found %v", err)
	}
	return nil
}

func batch(ctx context.Context) error {
	return withQueue(ctx, "", nil, func(url *string) error {
		entries := make([]types.SendMessageBatchRequestEntry, 10)
		for index := range entries {
			text := strconv.Itoa(index)
			entries[index] = types.SendMessageBatchRequestEntry{Id: &text, MessageBody: &text}
		}
		sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
		if err != nil {
			return err
		}
		if err := checks.Equal([]int{len(sent.Successful), len(sent.Failed)}, []int{10, 0}); err != nil {
			return err
		}
		_, err = receive(ctx, url, 10)
		return err
	})
}

func fifoOrder(ctx context.Context) error {
	attributes := map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}
	return withQueue(ctx, ".fifo", attributes, func(url *string) error {
		for number := range 20 {
			text := strconv.Itoa(number)
			// Sent twice: the second is a duplicate and adds nothing.
			for range 2 {
				_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &text, MessageGroupId: aws.String("g")})
				if err != nil {
					return err
				}
			}
		}
		found, err := receive(ctx, url, 20)
		if err != nil {
			return err
		}
		for number, message := range found {
			if err := checks.Equal(*message.Body, strconv.Itoa(number)); err != nil {
				return err
			}
		}
		return nil
	})
}

func longPoll(ctx context.Context) error {
	return withQueue(ctx, "", nil, func(url *string) error {
		time.AfterFunc(300*time.Millisecond, func() {
			client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("wake up")})
		})
		started := time.Now()
		answer, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if err != nil {
			return err
		}
		if len(answer.Messages) != 1 || time.Since(started) > 18*time.Second {
			return fmt.Errorf("%d messages after %v", len(answer.Messages), time.Since(started))
		}
		return nil
	})
}

func listed(ctx context.Context) error {
	prefix := checks.Unique("listed")
	for number := range 3 {
		made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(prefix + strconv.Itoa(number))})
		if err != nil {
			return err
		}
		defer client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	}
	pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)})
	count := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		count += len(page.QueueUrls)
	}
	return checks.Equal(count, 3)
}

func deadLetter(ctx context.Context) error {
	return withQueue(ctx, "-dead", nil, func(dead *string) error {
		known, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
		})
		if err != nil {
			return err
		}
		arn := known.Attributes["QueueArn"]
		policy := map[string]string{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn)}
		return withQueue(ctx, "", policy, func(url *string) error { return failAndMoveBack(ctx, url, dead, arn) })
	})
}

// failAndMoveBack has a message go to the dead-letter queue, and moves it back.
func failAndMoveBack(ctx context.Context, url, dead *string, arn string) error {
	sent, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("bad")})
	if err != nil {
		return err
	}
	failed, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, VisibilityTimeout: 0, WaitTimeSeconds: 5})
	if err != nil || len(failed.Messages) != 1 {
		return fmt.Errorf("received %v, %w", failed, err)
	}
	_, err = client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: failed.Messages[0].ReceiptHandle, VisibilityTimeout: 0,
	})
	if err != nil {
		return err
	}
	sources, err := client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead})
	if err != nil {
		return err
	}
	if len(sources.QueueUrls) != 1 || sources.QueueUrls[0] != *url {
		return fmt.Errorf("the sources are %v", sources.QueueUrls)
	}
	if err := waitForMessage(ctx, dead); err != nil {
		return err
	}
	if _, err = client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn}); err != nil {
		return err
	}
	found, err := receive(ctx, url, 1)
	if err != nil {
		return err
	}
	if *found[0].MessageId != *sent.MessageId {
		return fmt.Errorf("%s came back as %s", *sent.MessageId, *found[0].MessageId)
	}
	tasks, err := client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn})
	if err != nil {
		return err
	}
	if len(tasks.Results) != 1 || *tasks.Results[0].ApproximateNumberOfMessagesToMove != 1 {
		return fmt.Errorf("the tasks are %v", tasks.Results)
	}
	return nil
}

// waitForMessage returns when a message is in the queue.
func waitForMessage(ctx context.Context, url *string) error {
	name := types.QueueAttributeNameApproximateNumberOfMessages
	for {
		known, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: url, AttributeNames: []types.QueueAttributeName{name},
		})
		if err != nil || known.Attributes[string(name)] != "0" {
			return err
		}
	}
}
