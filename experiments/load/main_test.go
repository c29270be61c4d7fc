package load

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"c1000k/experiments/floor"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// play is the life of a re-executed test binary.
func play(role string) error {
	if n, _ := strconv.Atoi(os.Getenv(limitEnv)); n > 0 {
		limit := unix.Rlimit{Cur: uint64(n), Max: uint64(n)}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	if role == "accept" {
		var o floor.ServeOptions
		if err := json.Unmarshal([]byte(os.Getenv(optionsEnv)), &o); err != nil {
			return err
		}
		return floor.Serve(o, os.Stdin, os.Stdout)
	}
	var o Options
	if err := json.Unmarshal([]byte(os.Getenv(optionsEnv)), &o); err != nil {
		return err
	}
	return Run(o, os.Stdin, os.Stdout)
}

// startLoad starts this binary as a load process, under a descriptor limit
// unless that is 0, and ends it with the test.
func startLoad(t testing.TB, o Options, limit int) *Client {
	t.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(roleEnv, "load")
	t.Setenv(optionsEnv, string(options))
	t.Setenv(limitEnv, strconv.Itoa(limit))
	c, err := Start(context.Background(), []string{os.Args[0]}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
