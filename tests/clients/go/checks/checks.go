// Package checks is the runner of the Go suites: a check is a named
// claim with a function; it fails by returning an error.
package checks

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"
)

// Limit is the time limit of one check.
const Limit = 120 * time.Second

// Check is a claim with the function that shows it.
type Check struct {
	Claim string
	Shows func(context.Context) error
}

// Run runs the checks, prints one line each and the totals, and ends the process.
// An argument on the command line selects the checks whose claim contains it.
func Run(suite string, all []Check) {
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	passed, failed := 0, 0
	for _, check := range all {
		if !strings.Contains(check.Claim, wanted) {
			continue
		}
		started := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), Limit)
		err := check.Shows(ctx)
		cancel()
		if err != nil {
			failed++
			fmt.Printf("FAIL %s.%s: %v\n", suite, check.Claim, err)
			continue
		}
		passed++
		fmt.Printf("ok   %s.%s (%d ms)\n", suite, check.Claim, time.Since(started).Milliseconds())
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// Endpoint is the address from the environment, or the default.
func Endpoint(variable, customary string) string {
	if found := os.Getenv(variable); found != "" {
		return found
	}
	return customary
}

// OfPeers reports whether a peer is tested instead of Stele: then the environment names no program.
func OfPeers() bool {
	return os.Getenv("STELE") == ""
}

// Unique returns a name not used by any other check or earlier run.
func Unique(prefix string) string {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return prefix + "-" + hex.EncodeToString(random)
}

// Equal compares the printed forms, and shows both values if they differ.
func Equal(found, expected any) error {
	if fmt.Sprintf("%#v", found) != fmt.Sprintf("%#v", expected) {
		return fmt.Errorf("expected %#v, found %#v", expected, found)
	}
	return nil
}

// Eventually polls until the condition holds or the context ends.
func Eventually(ctx context.Context, condition func() (bool, error)) error {
	for {
		holds, err := condition()
		if err != nil || holds {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not so in time: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
