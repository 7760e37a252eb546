// sqsload is a load client for any SQS endpoint, using the AWS SDK for Go:
//
//	sqsload [flags] send|receive
//
// `send` fills a queue with workers that send one request after the other; `receive` empties it
// with workers that receive and delete. It prints one line of JSON: messages, messages per second,
// and the latency of the send or receive requests. The measurement ends with the last message:
// workers that then wait for another, and their empty receives, don't count.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

type settings struct {
	endpoint, queue             string
	connections, batch, size, n int
	limit                       time.Duration
}

// load is one run: the remaining work, and how long each request took.
type load struct {
	settings
	client  *sqs.Client
	url     *string
	claimed atomic.Int64
	done    atomic.Int64
	mutex   sync.Mutex
	took    []time.Duration
	last    time.Time
}

func main() {
	var given settings
	flag.StringVar(&given.endpoint, "endpoint", "http://127.0.0.1:9324", "URL of the server")
	flag.StringVar(&given.queue, "queue", "load", "name of the queue; created if missing")
	flag.IntVar(&given.connections, "connections", 8, "number of workers, each with a connection")
	flag.IntVar(&given.batch, "batch", 1, "messages per request, 1 to 10")
	flag.IntVar(&given.size, "size", 256, "size of a body in bytes")
	flag.IntVar(&given.n, "n", 20000, "total number of messages")
	flag.DurationVar(&given.limit, "limit", 5*time.Minute, "give up after this")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), given.limit)
	defer cancel()
	if err := run(ctx, given, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "sqsload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, given settings, verb string) error {
	work := load{settings: given, client: connect(given)}
	workers := map[string]func(context.Context) error{"send": work.send, "receive": work.receive}
	worker, known := workers[verb]
	if !known {
		return fmt.Errorf("send or receive, not %q", verb)
	}
	attributes := map[string]string{"VisibilityTimeout": "300"}
	made, err := work.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &given.queue, Attributes: attributes})
	if err != nil {
		return err
	}
	work.url = made.QueueUrl
	errors := make(chan error, given.connections)
	began := time.Now()
	for range given.connections {
		go func() { errors <- worker(ctx) }()
	}
	for range given.connections {
		if err := <-errors; err != nil {
			return err
		}
	}
	return work.report(work.last.Sub(began))
}

func connect(given settings) *sqs.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: given.connections * 2}
	return sqs.New(sqs.Options{
		Region:           "us-east-1",
		BaseEndpoint:     &given.endpoint,
		HTTPClient:       &http.Client{Transport: transport},
		Credentials:      credentials.NewStaticCredentialsProvider("any", "any", ""),
		RetryMaxAttempts: 1,
	})
}

// finished counts completed messages, whose request took that long.
func (l *load) finished(messages int, took time.Duration) {
	l.done.Add(int64(messages))
	l.mutex.Lock()
	l.took = append(l.took, took)
	l.last = time.Now()
	l.mutex.Unlock()
}

func (l *load) report(elapsed time.Duration) error {
	slices.Sort(l.took)
	at := func(share float64) float64 {
		return float64(l.took[int(share*float64(len(l.took)-1))]) / float64(time.Millisecond)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"messages": l.done.Load(), "per_second": float64(l.done.Load()) / elapsed.Seconds(), "p50_ms": at(0.5), "p99_ms": at(0.99),
	})
}

func (l *load) send(ctx context.Context) error {
	body := strings.Repeat("x", l.size)
	for l.claimed.Add(int64(l.batch)) <= int64(l.n) {
		began := time.Now()
		if err := l.sendOnce(ctx, &body); err != nil {
			return err
		}
		l.finished(l.batch, time.Since(began))
	}
	return nil
}

func (l *load) receive(ctx context.Context) error {
	for l.done.Load() < int64(l.n) {
		began := time.Now()
		found, err := l.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: l.url, MaxNumberOfMessages: int32(l.batch), WaitTimeSeconds: 1,
		})
		if err != nil {
			return err
		}
		took := time.Since(began)
		if len(found.Messages) == 0 {
			continue
		}
		if err := l.delete(ctx, found); err != nil {
			return err
		}
		l.finished(len(found.Messages), took)
	}
	return nil
}
