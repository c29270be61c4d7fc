package load

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	signers       = 4    // requests under way at a time
	signedFor     = 3600 // seconds for which a channel stays without a subscriber
	tokenBytes    = 16   // of a channel, told in hexadecimal
	mostSignBytes = 4 << 10
)

// token is a channel's, as it stands in a request.
type token [2 * tokenBytes]byte

// tokenParameter goes before a token in a request, behind the number.
const tokenParameter = "&token="

var (
	// errSignFirst refuses tokens for connections that polled without.
	errSignFirst = errors.New("channels are signed before connections are opened")
	// errUnsigned refuses connections whose channels have no token, though others have.
	errUnsigned = errors.New("not so many connections' channels were signed")
)

// SignResult is the outcome of sign.
type SignResult struct {
	Signed  int     `json:"signed"` // channels
	Seconds float64 `json:"seconds"`
}

// Sign asks the server's admin door for a token of each channel that the first to
// connections subscribe to, which makes these channels; from then on every request
// shows its own. It is for a server with auth=token, and to be called before Open.
func (g *Generator) Sign(ctx context.Context, admin string, to int, report func(Progress)) (SignResult, error) {
	switch {
	case to < 1 || to > g.opts.Connections:
		return SignResult{}, fmt.Errorf("%d connections: this load was made for 1 to %d", to, g.opts.Connections)
	case g.numbers != nil:
		return SignResult{}, fmt.Errorf("tokens are only known of protocol %s", ProtocolIcomet)
	case g.started() > 0:
		return SignResult{}, errSignFirst
	}
	if _, err := adminAddress(admin); err != nil {
		return SignResult{}, err
	}
	tokens := make([]token, g.opts.channel(to-1)+1)
	start := time.Now()
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	transport := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: signers}
	defer transport.CloseIdleConnections()
	var next, done atomic.Int64
	var working sync.WaitGroup
	for range signers {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(tokens)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := sign(ctx, transport, admin, uint32(i), &tokens[i]); err != nil {
					give(err)
					return
				}
				done.Add(1)
			}
		})
	}
	signed := func(totals) int64 { return done.Load() }
	all := int64(len(tokens))
	err := g.watch(ctx, func(t totals) (int64, bool) { return signed(t), signed(t) == all }, g.progress(report, all, signed))
	give(err) // ends those who sign, where it is no progress that ended the watch
	working.Wait()
	r := SignResult{Signed: int(done.Load()), Seconds: time.Since(start).Seconds()}
	if err != nil {
		return r, context.Cause(ctx)
	}
	g.tokens = tokens
	return r, nil
}

// sign asks for one channel's token.
func sign(ctx context.Context, transport *http.Transport, admin string, channel uint32, t *token) error {
	name := []byte("c0000000")
	putName(name, len(name), channel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/sign?cname=%s&expires=%d", admin, name, signedFor), nil)
	if err != nil {
		return err
	}
	reply, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("signing %s: %w", name, err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, mostSignBytes))
	if err != nil {
		return fmt.Errorf("signing %s: %w", name, err)
	}
	var signed struct {
		Type, Cname, Token string
		Seq                uint32
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("signing %s: the admin door answers %s: %.200q", name, reply.Status, body)
	}
	if err := json.Unmarshal(body, &signed); err != nil {
		return fmt.Errorf("signing %s: %.200q: %w", name, body, err)
	}
	if raw, err := hex.DecodeString(signed.Token); err != nil || len(raw) != tokenBytes || signed.Type != "sign" || signed.Cname != string(name) {
		return fmt.Errorf("signing %s: %.200q has no token of %d bytes for it", name, body, tokenBytes)
	}
	if signed.Seq != firstSeq {
		return fmt.Errorf("signing %s: its next number is %d, so the channel is not new", name, signed.Seq)
	}
	copy(t[:], signed.Token)
	return nil
}
