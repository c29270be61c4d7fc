package process

import (
	"context"
	"fmt"
	"time"
)

// How often a server is asked for its count, which is how exactly the end of an
// opening is known, and for how long: the last requests are on their way, or polls
// come back after a message.
const (
	heldEvery    = 5 * time.Millisecond
	heldPatience = 30 * time.Second
)

// NotHeldError says that a server's count did not become what it should be.
type NotHeldError struct {
	Got, Want int
}

func (e *NotHeldError) Error() string {
	return fmt.Sprintf("the server holds %d polls and should hold %d, %v after the last was sent", e.Got, e.Want, heldPatience)
}

// Subscribers asks the server with this admin door for its count of held polls.
func Subscribers(admin string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		i, err := AskInfo(ctx, admin)
		return i.Subscribers, err
	}
}

// AwaitHeld waits until a server says that it holds n polls, and returns what it
// said last. A load that has sent all its polls does not know that they were read:
// who sends a message then must wait first. The error is a *NotHeldError where the
// server does not get there.
func AwaitHeld(ctx context.Context, n int, ask func(context.Context) (int, error)) (got int, err error) {
	for began := time.Now(); ; {
		if got, err = ask(ctx); err != nil || got == n {
			return got, err
		}
		if time.Since(began) > heldPatience {
			return got, &NotHeldError{Got: got, Want: n}
		}
		select {
		case <-time.After(heldEvery):
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}
