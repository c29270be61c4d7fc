package ablation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"c1000k/experiments/ladder"
	"c1000k/experiments/sample"
	"c1000k/experiments/turns"
)

// Settings are what makes two runs comparable, and what a run that is gone on with
// must keep.
type Settings struct {
	Kind     string   `json:"kind"` // turns.Broadcast or turns.Fanout
	Sizes    []int    `json:"sizes"`
	Subjects []string `json:"subjects"`
	// Rounds are those of each size, or one number for all.
	Rounds []int `json:"rounds"`
	// Messages measured of each cell; 0 sends as many as the size asks for.
	Messages int `json:"messages"`
	// MessagesTo is the largest size at which messages are sent; 0: all.
	MessagesTo int `json:"messages_to"`
	// Settle is how long memory must stand still.
	Settle time.Duration `json:"settle_ns"`
}

// Options are what a run is told.
type Options struct {
	Settings
	LeftOut []string // of the default list, with the reasons; for the record
	// Server is the comet server's binary, PlantedServer the one built with the tag
	// plant, which is needed where a subject has a planted cost.
	Server, PlantedServer string
	// Load starts a load process, Floor the server of the bare accept loop.
	Load, Floor []string
	Dir         string // where data.jsonl and logs are
	Progress    io.Writer
	Force       <-chan struct{} // closed by a second Ctrl-C

	port int // where the next doors are looked for
}

// Limits of the settings.
const (
	MostConnections = 1_000_000 // what a server reserves channels for
	leastSettle     = 100 * time.Millisecond
)

// Check refuses settings that cannot be, by the names of the flags.
func (s *Settings) Check() error {
	if s.Kind != turns.Broadcast && s.Kind != turns.Fanout {
		return fmt.Errorf("--kind: %q is neither %s nor %s", s.Kind, turns.Broadcast, turns.Fanout)
	}
	if len(s.Sizes) == 0 {
		return errors.New("--sizes: none was given")
	}
	for i, n := range s.Sizes {
		if slices.Contains(s.Sizes[:i], n) {
			return fmt.Errorf("--sizes: %d was given twice", n)
		}
		if n < 1 || n > MostConnections {
			return fmt.Errorf("--sizes=%d: want 1 to %d connections", n, MostConnections)
		}
	}
	if n := len(s.Rounds); n != 1 && n != len(s.Sizes) || slices.Min(s.Rounds) < 1 {
		return fmt.Errorf("--rounds=%v: want one number for all sizes or one for each of %v, 1 at least", s.Rounds, s.Sizes)
	}
	if s.Messages < 0 || s.MessagesTo < 0 {
		return fmt.Errorf("--messages=%d --messages-to=%d: want nothing negative", s.Messages, s.MessagesTo)
	}
	if s.Settle < leastSettle {
		return fmt.Errorf("--settle=%v: want %v or more", s.Settle, leastSettle)
	}
	if len(s.Subjects) < 2 {
		return fmt.Errorf("--subjects: %d is not enough: the first is what the others are compared with", len(s.Subjects))
	}
	subjects, err := s.parsed()
	if err != nil {
		return fmt.Errorf("--subjects: %w", err)
	}
	for _, one := range subjects {
		if one.Config == "" {
			continue
		}
		if _, err := os.Stat(one.Config); err != nil {
			return fmt.Errorf("--subjects: the settings of %s: %w", one, err)
		}
	}
	return nil
}

func (s *Settings) parsed() ([]Subject, error) {
	all := make([]Subject, len(s.Subjects))
	for i, text := range s.Subjects {
		one, err := ParseSubjects([]string{text})
		if err != nil {
			return nil, err
		}
		all[i] = one[0]
	}
	return all, nil
}

// settleTimes as long as memory must stand still is waited for it at most, and it
// is looked at settleLooks times in that time.
const (
	settleTimes = 8
	settleLooks = 4
)

func (s *Settings) settle() sample.SettleLimits {
	return sample.SettleLimits{Change: 0.001, Window: s.Settle, Longest: settleTimes * s.Settle, Every: s.Settle / settleLooks}
}

// rounds are those of a size.
func (s *Settings) rounds(size int) int {
	if len(s.Rounds) == 1 {
		return s.Rounds[0]
	}
	return s.Rounds[slices.Index(s.Sizes, size)]
}

func (s *Settings) sends(size int) bool { return s.MessagesTo == 0 || size <= s.MessagesTo }

// A cell sends so many messages that there are about enoughDeliveries, but not more
// than mostMessages.
const (
	enoughDeliveries = 216_000
	mostMessages     = 20
)

func (s *Settings) messages(size int) int {
	if s.Messages > 0 {
		return s.Messages
	}
	return min(max(enoughDeliveries/size, 1), mostMessages)
}

// warmups are messages before those that count: the first make the histories and the
// stacks' memory, and take longer. Where one goes to very many, one is enough.
func (s *Settings) warmups(size int) int {
	if size >= manyConnections {
		return 1
	}
	return 3
}

const manyConnections = 100_000

// apart is how often deliveries and polls are measured apart.
func (s *Settings) apart(size int) int { return (s.messages(size) + 3) / 4 }

// What is guessed of the time of a cell until some were measured, in seconds: what
// each has, what a connection takes to open and to close, and a delivery with its
// next poll.
const (
	guessCell       = 3.5
	guessConnection = 45e-6
	guessDelivery   = 18e-6
)

// guess is how long a cell is expected to take, before any was measured.
func (s *Settings) guess(size int) float64 {
	seconds := guessCell + 2*s.Settle.Seconds() + float64(size)*guessConnection
	if s.sends(size) {
		n := s.warmups(size) + s.messages(size) + s.apart(size)
		seconds += float64(n*size)*guessDelivery + float64(2*s.apart(size))*(2*turns.Settle).Seconds()
	}
	return seconds
}

// Guess is how long a whole run is expected to take, before any of it was measured.
func Guess(s Settings) time.Duration {
	var seconds float64
	for _, size := range s.Sizes {
		seconds += guessBare(size) + float64(s.rounds(size)*len(s.Subjects))*s.guess(size)
	}
	return time.Duration(seconds * float64(time.Second))
}

// guessBare is how long the bare accept loop takes.
func guessBare(size int) float64 { return 2 + float64(size)*guessConnection }

// memoryMissing says why a size is not to be had on this machine as it is.
func memoryMissing(sizes []int) error {
	for _, n := range sizes {
		if err := ladder.CheckMemory(n); err != nil {
			return fmt.Errorf("--sizes=%d: %w", n, err)
		}
	}
	return nil
}
