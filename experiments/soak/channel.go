package soak

import (
	"math"
	"sync/atomic"
)

// history is the number of messages that the server keeps of a channel.
const history = 10

// channel is what publishers tell of a channel before they do it, for subscribers
// to know what they may miss. One publisher owns it, and writes; all read.
type channel struct {
	name string
	// closable: it is closed now and then, and comes into being anew.
	closable bool
	// fleeting: it is one client's, has broadcasts alone, and expires when that leaves.
	fleeting bool

	pushes  atomic.Uint64 // begun
	cleared atomic.Uint64 // numbers up to this one may have been cleared
	begun   atomic.Uint64 // closes
	ended   atomic.Uint64 // closes that are done
	token   atomic.Pointer[token]
	final   atomic.Uint64 // the number of the last message; 0 until it is published

	last uint64 // the last number that its publisher was told
}

// token is what /sign gave.
type token struct {
	text  string
	ended uint64 // closes of the channel that were done before
}

// clearing is cleared while a clear is under way: any number may be gone.
const clearing = math.MaxUint64

// published is the highest number there may be, with so many broadcasts begun.
// Where a channel is closed now and then it is too high.
func (c *channel) published(broadcasts uint64) uint64 { return c.pushes.Load() + broadcasts }

// mayClear says whether everything up to n may have been cleared.
func (c *channel) mayClear(n uint64) bool { return n <= c.cleared.Load() }

// mayEvict says whether everything up to n may be older than the history, or
// cleared.
func (c *channel) mayEvict(n, broadcasts uint64) bool {
	return n+history <= c.published(broadcasts) || c.mayClear(n)
}

// mayBeAnew says whether the channel may be another instance than at a time when so
// many closes were done.
func (c *channel) mayBeAnew(ended uint64) bool { return c.fleeting || c.begun.Load() > ended }
