package main

import (
	"os"
	"os/signal"
	"syscall"
)

// signals are those that the server heeds from its first moment on.
type signals struct {
	stop   chan os.Signal // SIGINT and SIGTERM: the second one stops at once
	hangUp chan os.Signal // SIGHUP: several that came before it was heeded are one
}

func newSignals() signals { return signals{make(chan os.Signal, 2), make(chan os.Signal, 1)} }

// heed has signals come here, and not end the process.
func (s signals) heed() {
	signal.Notify(s.stop, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(s.hangUp, syscall.SIGHUP)
}

// leave is for a process that is about to begin anew, where all that came here is
// lost. Until it heeds signals again, one that stops ends it as it ends any program,
// and a hang-up is ignored, which it keeps over its new beginning: the settings are read
// after that anyway. It reports false if a signal to stop has come, so that there is no
// new beginning.
func (s signals) leave() bool {
	signal.Ignore(syscall.SIGHUP)
	signal.Stop(s.stop)
	return len(s.stop) == 0
}
