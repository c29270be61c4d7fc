package gonet

import (
	"testing"

	"c1000k/comet"
	"c1000k/comet/enginetest"
)

// The engine passes the suite that every engine must pass.
func TestConformance(t *testing.T) {
	enginetest.Run(t, func(s *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
		return New(s, Options{EngineOptions: o})
	})
}
