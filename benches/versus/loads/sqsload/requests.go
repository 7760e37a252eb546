package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// sendOnce sends one message, or one batch.
func (l *load) sendOnce(ctx context.Context, body *string) error {
	if l.batch == 1 {
		_, err := l.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: l.url, MessageBody: body})
		return err
	}
	entries := make([]types.SendMessageBatchRequestEntry, l.batch)
	for index := range entries {
		entries[index] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(index)), MessageBody: body}
	}
	sent, err := l.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: l.url, Entries: entries})
	if err == nil && len(sent.Failed) > 0 {
		err = fmt.Errorf("%d entries failed, the first with %s", len(sent.Failed), *sent.Failed[0].Code)
	}
	return err
}

// delete deletes the received messages.
func (l *load) delete(ctx context.Context, found *sqs.ReceiveMessageOutput) error {
	if l.batch == 1 {
		handle := found.Messages[0].ReceiptHandle
		_, err := l.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: l.url, ReceiptHandle: handle})
		return err
	}
	entries := make([]types.DeleteMessageBatchRequestEntry, len(found.Messages))
	for index, message := range found.Messages {
		entries[index] = types.DeleteMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(index)), ReceiptHandle: message.ReceiptHandle,
		}
	}
	deleted, err := l.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: l.url, Entries: entries})
	if err == nil && len(deleted.Failed) > 0 {
		err = fmt.Errorf("%d deletions failed, the first with %s", len(deleted.Failed), *deleted.Failed[0].Code)
	}
	return err
}
