package uring

import (
	"testing"

	"c1000k/comet"
	"c1000k/comet/enginetest"
)

// TestEngine runs the suite that every engine must pass.
func TestEngine(t *testing.T) {
	enginetest.Run(t, func(svc *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
		return New(svc, Options{EngineOptions: o})
	})
}
