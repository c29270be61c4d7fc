// Package enginetest is the conformance suite of engines: one set of tests
// that every engine must pass, over real sockets, byte for byte.
//
// An engine's own package calls Run with a function that makes it:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, func(s *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
//			return New(s, o, Options{})
//		})
//	}
//
// RunVirtual runs those of them that need no sockets, for the simulator's kernel.
//
// What is compared is the bytes of a reply, never how they were cut into
// segments: an engine may send head and body together or apart. Dates are
// checked for their form and then masked, and so is the server's name.
//
// The replies that the protocol was taken from are a set of recordings of
// icomet 0.2.5; rows.go names each of them and says which case covers it, or
// that what it records is not built yet. The package's own test holds the two
// together. protocol.go does the same for the protocol itself, row by row, with
// what is better here than in icomet, and each of icomet's defects: Run fails for
// a row whose case did not run on the engine.
//
// Beyond bytes the suite asks what a table of replies cannot: that input may
// be cut anywhere, that a held connection that goes on sending is stopped by
// the TCP window, that leaving is noticed, that nothing is lost or repeated
// when polls race with pushes, that a full table turns nobody away, that the
// collector and timers of the Go runtime disturb no socket, and that Stop
// leaves nothing behind.
//
// # Caveats
//
// The suite waits for states it can ask for (/info, bytes, end of file), never
// for a time to pass, but in three places: a silence has to be listened to for
// a while, the polling timeout has to be waited for, and a window that is full
// is one that stays full. In each of them more time makes the test no weaker,
// and a slow machine makes it no more likely to fail.
//
// It cannot see how many system calls an engine makes, nor what it costs: that
// is what the experiments are for.
package enginetest
