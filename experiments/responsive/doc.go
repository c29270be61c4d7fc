// Package responsive measures what others wait for while a server broadcasts to a
// million channels: pings on every event loop, and pushes to a channel of their
// own.
//
// # The instrument
//
// One locked thread sends at fixed rates on kept connections and reads what comes
// (metronome.go). It is an open loop: a request is sent at its time whether or not
// the one before was answered, and what it took counts from that time. Replies of
// one connection have one length, which its first exchange shows, so they are counted
// and not parsed.
//
// # Its own part
//
// Server, load and instrument share the machine. How late the instrument sends is
// kept beside each latency, and a bare echo, a thread of this process, is asked at
// the same rate: what that takes is the machine's and the instrument's.
//
// # Which loop a connection is on
//
// The kernel decides who accepts. So while the server is idle each candidate is
// pinged alone, and the loop whose counter of actions grows has it (locate.go).
package responsive
