//go:build plant

package main

import (
	"fmt"
	"os"
	"time"

	"c1000k/comet/internal/plant"
)

// spinVariable is how long each delivery of a poll shall keep its processor busy
// for nothing, in a build with the tag plant: 1us. It is the positive control of
// experiments, which must find this cost.
const spinVariable = "C1000K_PLANT_SPIN"

// longestSpin keeps a mistyped unit from stopping the server.
const longestSpin = time.Millisecond

func init() {
	text := os.Getenv(spinVariable)
	if text == "" {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > longestSpin {
		fmt.Fprintf(os.Stderr, "comet: %s=%s: want a duration up to %v\n", spinVariable, text, longestSpin)
		os.Exit(exitUsage)
	}
	fmt.Fprintf(os.Stderr, "comet: planted: each delivery of a poll is kept %v longer for nothing (%s)\n", d, spinVariable)
	plant.SetSpin(func() {
		for began := time.Now(); time.Since(began) < d; {
		}
	})
}
