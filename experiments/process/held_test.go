package process

import (
	"context"
	"errors"
	"testing"
)

// TestAwaitHeld proves that the wait lasts until the server has caught up, in
// either direction, and ends with the server's error and with the context.
func TestAwaitHeld(t *testing.T) {
	broken, ended := errors.New("broken"), errors.New("ended")
	for name, c := range map[string]struct {
		counts []int // what the server says, one after the other, then broken
		cancel bool
		got    int
		err    error
	}{
		"at once":        {counts: []int{3}, got: 3},
		"late":           {counts: []int{0, 1, 3}, got: 3},
		"too many first": {counts: []int{5, 3}, got: 3},
		"broken":         {counts: []int{1}, err: broken},
		"cancelled":      {counts: []int{1}, cancel: true, got: 1, err: ended},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			got, err := AwaitHeld(ctx, 3, func(context.Context) (int, error) {
				if len(c.counts) == 0 {
					return 0, broken
				}
				n := c.counts[0]
				c.counts = c.counts[1:]
				if c.cancel {
					cancel(ended)
				}
				return n, nil
			})
			if got != c.got || !errors.Is(err, c.err) {
				t.Errorf("%d, %v; want %d, %v", got, err, c.got, c.err)
			}
		})
	}
}
