// amqpload is a load client that uses RabbitMQ's client for Go:
//
//	amqpload [flags] through|reject|expire
//
// With `through`, pairs of publishers and consumers, each with a connection of its own, pass
// messages through durable queues: a publisher has a window of open confirms, a consumer
// acknowledges several at once. The rate is that of the deliveries, and latencies are those of the
// confirms. With `reject` and `expire` the messages of a queue die: see dead.go. It prints one line
// of JSON: messages, messages per second, and for `through` p50_ms and p99_ms.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

type settings struct {
	uri, queue             string
	size, n                int
	pairs, window, ackEach int
	transient              bool
	limit                  time.Duration
}

// result is what a run measured; latencies are left out where they weren't.
type result struct {
	Messages  int      `json:"messages"`
	PerSecond float64  `json:"per_second"`
	P50       *float64 `json:"p50_ms,omitempty"`
	P99       *float64 `json:"p99_ms,omitempty"`
}

func main() {
	var given settings
	flag.StringVar(&given.uri, "uri", "amqp://guest:guest@127.0.0.1:5672", "URI of the server")
	flag.StringVar(&given.queue, "queue", "load", "name of the queue; others are named after it")
	flag.IntVar(&given.size, "size", 1024, "size of a body in bytes")
	flag.IntVar(&given.n, "n", 100_000, "number of messages")
	flag.IntVar(&given.pairs, "pairs", 1, "publishers, and as many queues and consumers (through)")
	flag.IntVar(&given.window, "window", 500, "open confirms of a publisher, and prefetch of a consumer")
	flag.IntVar(&given.ackEach, "ack-each", 50, "deliveries that one acknowledgement settles (through)")
	flag.BoolVar(&given.transient, "transient", false, "transient messages, automatic acknowledgement (through)")
	flag.DurationVar(&given.limit, "limit", 5*time.Minute, "give up after this")
	flag.Parse()
	measured, err := run(given, flag.Arg(0))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqpload:", err)
		os.Exit(1)
	}
}

func run(given settings, verb string) (result, error) {
	switch verb {
	case "through":
		return through(given)
	case "reject", "expire":
		took, err := die(given, verb)
		return result{Messages: given.n, PerSecond: float64(given.n) / took.Seconds()}, err
	}
	return result{}, fmt.Errorf("through, reject or expire, not %q", verb)
}
