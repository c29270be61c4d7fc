//go:build race

package main

// raceEnabled has the server under test built with the race detector too.
const raceEnabled = true
