package load

import (
	"bytes"
	"errors"
)

// kind is the type of a message object.
type kind uint8

const (
	kindData kind = iota
	kindBroadcast
	kindNextSeq
	kindNoop
	kindClose
	kindRefusal // 401, 429
)

// message is one object of a reply. Its slices lie in the reply.
type message struct {
	kind    kind
	cname   []byte // as it stands between the quotes
	seq     uint64
	content []byte // as it stands between the quotes
}

var errMessage = errors.New("a reply is not a message of the protocol")

var (
	keyType    = []byte(`{"type":"`)
	keyCname   = []byte(`,"cname":"`)
	keySeq     = []byte(`,"seq":`)
	keyContent = []byte(`,"content":"`)
)

// parseMessage reads the object at the start of data and returns what follows.
// The protocol fixes the keys and their order to the byte, so nothing else is
// taken.
func parseMessage(data []byte) (m message, rest []byte, err error) {
	var typ []byte
	if typ, data, err = textAfter(data, keyType); err != nil {
		return m, nil, err
	}
	if m.kind, err = kindOf(typ); err != nil {
		return m, nil, err
	}
	if m.cname, data, err = textAfter(data, keyCname); err != nil {
		return m, nil, err
	}
	if !bytes.HasPrefix(data, keySeq) {
		return m, nil, errMessage
	}
	data = data[len(keySeq):]
	comma := bytes.IndexByte(data, ',')
	if comma < 0 {
		return m, nil, errMessage
	}
	seq, ok := decimal(data[:comma])
	if !ok {
		return m, nil, errMessage
	}
	m.seq = seq
	if m.content, data, err = textAfter(data[comma:], keyContent); err != nil {
		return m, nil, err
	}
	if len(data) == 0 || data[0] != '}' {
		return m, nil, errMessage
	}
	return m, data[1:], nil
}

// textAfter returns the text between the quote that ends key and the quote that
// ends the text, and what follows that.
func textAfter(data, key []byte) (text, rest []byte, err error) {
	if !bytes.HasPrefix(data, key) {
		return nil, nil, errMessage
	}
	data = data[len(key):]
	for from := 0; ; {
		quote := bytes.IndexByte(data[from:], '"')
		if quote < 0 {
			return nil, nil, errMessage
		}
		quote += from
		slashes := 0
		for slashes < quote && data[quote-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return data[:quote], data[quote+1:], nil
		}
		from = quote + 1
	}
}

func kindOf(typ []byte) (kind, error) {
	switch string(typ) {
	case "data":
		return kindData, nil
	case "broadcast":
		return kindBroadcast, nil
	case "next_seq":
		return kindNextSeq, nil
	case "noop":
		return kindNoop, nil
	case "close":
		return kindClose, nil
	case "401", "429":
		return kindRefusal, nil
	}
	return 0, errMessage
}
