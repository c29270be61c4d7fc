package comet

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"c1000k/comet/hub"
)

// tokenBytes is the length of a token, which is told in hexadecimal.
const tokenBytes = 16

// instance tells a channel from all others, also from those of its name.
type instance struct {
	epoch uint64
	id    uint32
}

func instanceOf(v hub.View) instance { return instance{v.Epoch(), v.ID} }

// tokens makes a loop's tokens, with memory that is its own: a poll that shows one
// allocates nothing.
type tokens struct {
	mac  hash.Hash // by the service's key
	text [12]byte
	sum  [sha256.Size]byte
}

func newTokens(key []byte) *tokens { return &tokens{mac: hmac.New(sha256.New, key)} }

// token is the channel's token: the same for the channel's whole life, another
// for the next channel of that name. It is not kept anywhere: it is what the
// service's key makes of the channel's instance and name. No stripe is locked.
func (l *Loop) token(of instance, name []byte) (t [2 * tokenBytes]byte) {
	m := l.tokens
	m.mac.Reset()
	binary.LittleEndian.PutUint64(m.text[:], of.epoch)
	binary.LittleEndian.PutUint32(m.text[8:], of.id)
	m.mac.Write(m.text[:])
	m.mac.Write(name)
	hex.Encode(t[:], m.mac.Sum(m.sum[:0])[:tokenBytes])
	return t
}

// findByToken locks the channel of that name if the token is its own. The token
// is compared in constant time, and with no stripe locked.
func (l *Loop) findByToken(name, token []byte) (v hub.View, ok bool) {
	if v, ok = l.hub.Find(name); !ok {
		return v, false
	}
	of := instanceOf(v)
	v.Leave()
	want := l.token(of, name)
	if subtle.ConstantTimeCompare(want[:], token) != 1 {
		return v, false
	}
	if v, ok = l.hub.Find(name); ok && instanceOf(v) != of {
		v.Leave()
		ok = false
	}
	return v, ok
}

// toldEpoch is the epoch of v, where the client asked to be told of it by gap=1.
func (l *Loop) toldEpoch(v hub.View) uint64 {
	if !l.par.Gap {
		return 0
	}
	return v.Epoch()
}

// appendEpoch is the content of an object that tells a client which instance of
// the channel it has to do with; nil for a client that did not ask by gap=1.
// It is scratch memory.
func (l *Loop) appendEpoch(epoch uint64) []byte {
	if !l.par.Gap {
		return nil
	}
	return hex64(l.epoch[:], epoch)
}

func hex64(dst []byte, epoch uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], epoch)
	hex.Encode(dst, raw[:])
	return dst
}

// isEpoch reports whether the client's epoch is this one.
func (l *Loop) isEpoch(epoch uint64) bool {
	var text [16]byte
	return string(hex64(text[:], epoch)) == string(l.par.Epoch)
}

// gap is the content of the gap object for a client that wants to know that
// messages before number from are missing, or of another instance; nil if there
// is no such need. It is scratch memory.
func (l *Loop) gap(from, epoch uint64) []byte {
	p := &l.par
	if p.Gap && (from > uint64(max(p.Seq, 1)) || p.HasEpoch && !l.isEpoch(epoch)) {
		return l.appendEpoch(epoch)
	}
	return nil
}
