package comet

import "testing"

// signed makes a channel, if there is none, and returns its token.
func signed(t testing.TB, l *Loop, tick uint32, name string) []byte {
	t.Helper()
	v, err := l.hub.FindOrCreate([]byte(name), tick)
	if err != nil {
		t.Fatal(err)
	}
	token := l.token(v)
	v.Leave()
	return token[:]
}

// TestTokenAllocates proves that a poll's token is compared without allocating, and
// that the token of one channel is not that of another or of none.
func TestTokenAllocates(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Channels, cfg.TokenAuth, cfg.TokenKey = 10, true, [16]byte{1}
	s, err := NewService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.NewLoop(10)
	if err != nil {
		t.Fatal(err)
	}
	names := [][]byte{[]byte("a"), []byte("b")}
	var tokens [2][]byte
	for i, name := range names {
		tokens[i] = signed(t, l, l.tick, string(name))
	}
	for i, name := range names {
		for j, token := range tokens {
			v, ok := l.findByToken(name, token)
			if ok {
				v.Leave()
			}
			if ok != (i == j) {
				t.Errorf("the token of %s for %s: %v", names[j], name, ok)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if v, ok := l.findByToken(names[1], tokens[1]); ok {
			v.Leave()
		}
	}); n > 0 {
		t.Errorf("%v allocations a look-up", n)
	}
}
