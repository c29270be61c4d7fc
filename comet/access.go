package comet

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"

	"c1000k/comet/internal/plant"
)

// Peer is the address of the other end of a connection: 16 bytes of IPv6, IPv4
// mapped into it. It is zero where there is none, as on a unix socket, and on
// the front door, where nobody asks for it.
type Peer [16]byte

// PeerOf4 is an IPv4 address as a peer's.
func PeerOf4(addr [4]byte) (p Peer) {
	p[10], p[11] = 0xff, 0xff
	copy(p[12:], addr[:])
	return p
}

// Access decides from where publishers may come. Its methods may be called
// from any thread, and must not block.
type Access interface {
	// Admits says whether a publisher at p may publish, and whether p is a proxy
	// whose word about its client is taken instead.
	Admits(p Peer) (publishes, proxy bool)
	// Forwarded says the same of the client that a proxy names: list is the
	// value of its X-Forwarded-For.
	Forwarded(list []byte) (publishes bool)
}

// What is known of a publisher's connection stands in its record where a
// subscriber has its mode.
const (
	flagDenied  = uint8(1 << modeShift)       // its address may not publish
	flagProxied = uint8(1 << (modeShift + 1)) // its address is a trusted proxy's
)

// SetAccess has publishers admitted by a from now on; nil admits all.
// Connections that are open already keep what they were told at first, but for
// those of a trusted proxy.
func (s *Service) SetAccess(a Access) {
	if a == nil {
		s.access.Store(nil)
		return
	}
	s.access.Store(&a)
}

// SetAdminSecret has publishers show another secret from their next request on;
// an empty one asks for none. It may be called from any thread.
func (s *Service) SetAdminSecret(secret []byte) {
	secret = slices.Clone(secret)
	s.secret.Store(&secret)
}

// admit notes what is known of a publisher's address.
func (l *Loop) admit(r *conn, p Peer) {
	r.flags = flagAdmin
	a := l.svc.access.Load()
	if a == nil || p == (Peer{}) {
		return
	}
	publishes, proxy := (*a).Admits(p)
	if !publishes {
		r.flags |= flagDenied
	}
	if proxy {
		r.flags |= flagProxied
	}
}

// barred is the status with which the request l.req of a publisher is refused
// for who sent it: 403 by address, 401 without the secret; 0 if it is not.
func (l *Loop) barred(r *conn) (status int) {
	denied := r.flags&flagDenied != 0
	if (r.flags&flagProxied != 0 || plant.Is(plant.BelievedClient)) && l.req.ForwardedFor != nil {
		if a := l.svc.access.Load(); a != nil {
			denied = !(*a).Forwarded(l.req.ForwardedFor)
		}
	}
	if denied {
		l.n.barredPublishers++
		return 403
	}
	if secret := *l.svc.secret.Load(); len(secret) > 0 && !l.knows(secret) {
		l.n.barredPublishers++
		return 401
	}
	return 0
}

// knows compares the request's secret with ours in a time that tells nothing of
// either.
func (l *Loop) knows(secret []byte) bool {
	const scheme = "bearer "
	given := l.req.Authorization
	if len(given) < len(scheme) {
		return false
	}
	for i := range len(scheme) {
		if given[i]|0x20 != scheme[i]|0x20 {
			return false
		}
	}
	a, b := sha256.Sum256(given[len(scheme):]), sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
