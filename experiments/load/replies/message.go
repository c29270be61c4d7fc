// Package replies reads what a comet server sends: the heads and chunks of its
// replies, and the objects of the protocol in them. It is strict: what the
// protocol fixes to the byte is taken in no other form.
package replies

import (
	"bytes"
	"errors"
)

// Kind is the type of a message object.
type Kind uint8

const (
	Data Kind = iota
	Broadcast
	NextSeq
	Noop
	Close
	Gap     // only to those who ask with gap=1
	Refusal // 401, 429
)

// Message is one object of a reply. Its slices lie in the reply.
type Message struct {
	Kind    Kind
	Cname   []byte // as it stands between the quotes
	Seq     uint64
	Content []byte // as it stands between the quotes
}

var errMessage = errors.New("a reply is not a message of the protocol")

var (
	keyType    = []byte(`{"type":"`)
	keyCname   = []byte(`,"cname":"`)
	keySeq     = []byte(`,"seq":`)
	keyContent = []byte(`,"content":"`)
)

// ParseMessage reads the object at the start of data and returns what follows.
// The protocol fixes the keys and their order to the byte, so nothing else is
// taken.
func ParseMessage(data []byte) (m Message, rest []byte, err error) {
	var typ []byte
	if typ, data, err = textAfter(data, keyType); err != nil {
		return m, nil, err
	}
	if m.Kind, err = kindOf(typ); err != nil {
		return m, nil, err
	}
	if m.Cname, data, err = textAfter(data, keyCname); err != nil {
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
	seq, ok := Decimal(data[:comma])
	if !ok {
		return m, nil, errMessage
	}
	m.Seq = seq
	if m.Content, data, err = textAfter(data[comma:], keyContent); err != nil {
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

func kindOf(typ []byte) (Kind, error) {
	switch string(typ) {
	case "data":
		return Data, nil
	case "broadcast":
		return Broadcast, nil
	case "next_seq":
		return NextSeq, nil
	case "noop":
		return Noop, nil
	case "close":
		return Close, nil
	case "gap":
		return Gap, nil
	case "401", "429":
		return Refusal, nil
	}
	return 0, errMessage
}
