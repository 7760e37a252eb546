// Package checks is the small runner under the Go suites: a check is a named
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

// Limit is the time that one check may take.
const Limit = 120 * time.Second

// Check is one claim and what shows it.
type Check struct {
	Claim string
	Shows func(context.Context) error
}

// Run runs the checks, prints one line each and the tally, and ends the process.
// An argument on the command line picks the checks whose claim holds it.
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

// Endpoint is what the environment names, or the customary address.
func Endpoint(variable, customary string) string {
	if found := os.Getenv(variable); found != "" {
		return found
	}
	return customary
}

// OfPeers says whether a peer stands in for Stele: the environment then names no program.
func OfPeers() bool {
	return os.Getenv("STELE") == ""
}

// Unique is a name that no other check and no earlier run has used.
func Unique(prefix string) string {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return prefix + "-" + hex.EncodeToString(random)
}

// Equal compares by their printed form, and shows both sides when they differ.
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
