package epoll

import (
	"testing"

	"c1000k/comet"
	"c1000k/comet/enginetest"
)

// The engine passes the suite that every engine must pass, however it is told of
// events.
func TestConformance(t *testing.T) {
	for _, level := range []bool{false, true} {
		name := "edge"
		if level {
			name = "level"
		}
		t.Run(name, func(t *testing.T) {
			enginetest.Run(t, func(s *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
				return New(s, Options{EngineOptions: o, LevelTriggered: level})
			})
		})
	}
}
